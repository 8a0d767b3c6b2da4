"""Any transform of albumentations that changes a picture's pixels and nothing else about it."""

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

# albumentations asks the network for a newer version of itself when it is imported, unless told not to.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import albumentations

_PROBE = (3, 64, 64)
_MARGIN = 1e-3


class Albumentations(Replayable):
    """One transform with its arguments, always applied.

    Raises ConfigError for a name that is no such transform, for arguments that it does not take, and for one
    that does not give a picture (it is tried once).
    """

    def __init__(self, options: AlbumentationsOptions) -> None:
        self.name = options.transform
        self.transform = Seeded(self._made(options.arguments))
        self._try()

    def draw(self, rng: torch.Generator, size: tuple[int, int]) -> Recipe:
        """The seed of the transform's own random numbers."""
        return {"seed": transform_seed(rng)}

    def apply(self, image_CHW: Tensor, recipe: Recipe) -> Tensor:
        """The transformed picture, (3, H, W) float32, clipped to [0, 1]."""
        return self.transform(image_CHW, recipe["seed"]).clamp(0, 1)

    def _made(self, arguments: dict[str, Any]) -> Any:
        kind = getattr(albumentations, self.name, None)
        if not (isinstance(kind, type) and issubclass(kind, albumentations.ImageOnlyTransform)):
            if isinstance(kind, type) and issubclass(kind, albumentations.BasicTransform):
                raise ConfigError(f"albumentations: '{self.name}' moves pixels, so that a pair would no longer match")
            raise ConfigError(f"albumentations: there is no transform '{self.name}' of pixels, such as GaussNoise")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", UserWarning)  # an argument that does not exist is only warned of
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
    """A transform, or several, as a function of picture and seed."""

    def __init__(self, *transforms: Any) -> None:
        self.compose = albumentations.Compose(list(transforms))

    def __call__(self, image_CHW: Tensor, seed: int) -> Tensor:
        # A seed of its own for each picture: streams seeded once repeat themselves across data-loader workers.
        self.compose.set_random_seed(seed)
        picture_HWC = np.ascontiguousarray(image_CHW.numpy().transpose(1, 2, 0))
        made_HWC = np.asarray(self.compose(image=picture_HWC)["image"], dtype=np.float32)
        return torch.from_numpy(np.ascontiguousarray(made_HWC.transpose(2, 0, 1)))


def transform_seed(rng: torch.Generator) -> int:
    """A seed that albumentations takes."""
    return int(torch.randint(2**31 - 1, (), generator=rng))


def _line(error: Exception) -> str:
    """An error's message on one line."""
    return " ".join(str(error).split())
