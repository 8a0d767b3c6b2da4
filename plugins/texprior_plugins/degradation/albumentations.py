"""Applies any albumentations transform that changes pixel values only, not their positions."""

from __future__ import annotations

import os
import warnings
from typing import Any

import numpy as np
import torch
from torch import Tensor

from texprior.diffusion.keys import generator
from texprior.errors import ConfigError
from texprior.flow.degrade import Recipe, Replayable
from texprior_plugins.degradation import AlbumentationsOptions

# At import albumentations asks the network for a newer version of itself, unless this variable is set.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import albumentations

# Shape of the picture that a transform is tried on: small, so that building a degradation stays quick.
_PROBE = (3, 64, 64)
# How far results may leave [0, 1] and still count as a picture: rounding, not another range such as 0 to 255.
_MARGIN = 1e-3


class Albumentations(Replayable):
    """One transform with its arguments; it is applied to every picture unless ``p`` is given.

    Raises ConfigError if the name is no pixel transform, if the transform refuses the arguments, or if its result
    is no picture. To find out, the constructor applies it once.
    """

    def __init__(self, options: AlbumentationsOptions) -> None:
        self.name = options.transform
        self.transform = Seeded(self._made(options.arguments))
        self._try()

    def draw(self, rng: torch.Generator, size: tuple[int, int]) -> Recipe:
        """Draws the seed of the transform's own random numbers."""
        return {"seed": transform_seed(rng)}

    def apply(self, image_CHW: Tensor, recipe: Recipe) -> Tensor:
        """Returns the transformed picture, (3, H, W) float32, clipped to [0, 1]."""
        return self.transform(image_CHW, recipe["seed"]).clamp(0, 1)

    def _made(self, arguments: dict[str, Any]) -> Any:
        kind = getattr(albumentations, self.name, None)
        if not (isinstance(kind, type) and issubclass(kind, albumentations.ImageOnlyTransform)):
            if isinstance(kind, type) and issubclass(kind, albumentations.BasicTransform):
                raise ConfigError(f"albumentations: '{self.name}' moves pixels, so that a pair would no longer match")
            raise ConfigError(f"albumentations: there is no transform '{self.name}' of pixels, such as GaussNoise")
        try:
            # For an unknown argument albumentations only warns, so warnings become errors here.
            with warnings.catch_warnings():
                warnings.simplefilter("error", UserWarning)
                return kind(**{"p": 1.0, **arguments})
        except Exception as error:
            raise ConfigError(f"albumentations: {self.name} does not take these arguments: {_line(error)}") from None

    def _try(self) -> None:
        picture = torch.rand(_PROBE, generator=generator("albumentations", "probe"))
        try:
            found = self.transform(picture, 0)
        except Exception as error:
            raise ConfigError(f"albumentations: {self.name} cannot be applied to a picture: {_line(error)}") from None
        low, high = float(found.min()), float(found.max())
        if found.shape != picture.shape or not (low >= -_MARGIN and high <= 1 + _MARGIN):
            what = f"values from {low:.3g} to {high:.3g} in {tuple(found.shape)}"
            raise ConfigError(f"albumentations: {self.name} makes {what} of a picture in [0, 1] in {_PROBE}")


class Seeded:
    """One or several transforms as a function of picture and seed."""

    def __init__(self, *transforms: Any) -> None:
        self.compose = albumentations.Compose(list(transforms))

    def __call__(self, image_CHW: Tensor, seed: int) -> Tensor:
        # Every picture sets its own seed: a stream that is seeded once repeats itself in every data-loader worker.
        self.compose.set_random_seed(seed)
        picture_HWC = np.ascontiguousarray(image_CHW.numpy().transpose(1, 2, 0))
        made_HWC = np.asarray(self.compose(image=picture_HWC)["image"], dtype=np.float32)
        return torch.from_numpy(np.ascontiguousarray(made_HWC.transpose(2, 0, 1)))


def transform_seed(rng: torch.Generator) -> int:
    """Draws a seed in the range that albumentations accepts."""
    return int(torch.randint(2**31 - 1, (), generator=rng))


def _line(error: Exception) -> str:
    """Returns an error's message on one line."""
    return " ".join(str(error).split())
