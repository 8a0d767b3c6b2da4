"""Makes a degraded picture of a clean one, and recipes that repeat the same degradation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from texprior.diffusion.keys import Key, generator
from texprior.errors import ConfigError, ImageError
from texprior.flow.contract import require_picture, require_tensor, require_type
from texprior.flow.image import Sample

RULE = "pairs need 'degradation: null', and clean pictures need a degradation that is synthesised on them"
"""What data sets and the setting ``degradation`` must have in common, in the words of every message about it."""
Recipe = Mapping[str, Any]
"""The random draws for one picture, in JSON's types. A random field is stored as the seed of its generator."""


class Degrader(Protocol):
    """The contract of a degradation, which is built as ``Impl(options)``."""

    def __call__(self, image_CHW: Tensor, rng: torch.Generator) -> Tensor:
        """Returns the degraded picture, (3, H, W) in [0, 1], float32 on the CPU.

        The input has the same form; do not change it. All randomness must come from ``rng``, so that the result depends
        only on (seed, sample key).
        """
        ...


class Replayable(ABC):
    """A degradation in two steps: ``draw`` makes all random draws, and ``apply`` uses them.

    ``apply`` uses no random numbers except the recipe's. A recipe that was written to JSON and read back must give
    the same picture to the bit. A recipe is valid for pictures of the size that it was drawn for.
    """

    @abstractmethod
    def draw(self, rng: torch.Generator, size: tuple[int, int]) -> Recipe:
        """Draws the recipe for a picture of (height, width) px from ``rng``."""

    @abstractmethod
    def apply(self, image_CHW: Tensor, recipe: Recipe) -> Tensor:
        """Returns the degraded picture, (3, H, W) in [0, 1], float32.

        Does not change the input.
        """

    def drawn(self, recipe: Recipe, size: tuple[int, int]) -> Mapping[str, Tensor]:
        """Returns what was drawn as float32 tensors by name, for the loss of a predictor; by default nothing.

        Each is a list of numbers, (N,), or a map of the picture, (C, H, W), which is cut and turned as the picture is.
        Names, and shapes for a size, are the same for every recipe.
        """
        return {}

    def __call__(self, image_CHW: Tensor, rng: torch.Generator) -> Tensor:
        return self.apply(image_CHW, self.draw(rng, (image_CHW.shape[-2], image_CHW.shape[-1])))


def degrade(image_BCHW: Tensor, degradation: Degrader, seed: int, keys: Sequence[Key], bits: int | None = 8) -> Tensor:
    """Degrades each picture of a batch with its own key.

    The batch is (B, 3, H, W) in [0, 1]. The result is rounded to ``bits``, like a file; None keeps all digits. Raises
    ContractError if the degradation returns something else than such pictures.
    """
    degraded = [
        # a copy: one that works in place, as with NumPy, must not change the picture that scores are computed against
        _checked(degradation, degradation(image.clone(), rng_of(seed, key)), image)
        for image, key in zip(image_BCHW, keys, strict=True)
    ]
    return rounded(torch.stack(degraded), bits)


def _checked(degradation: Degrader, degraded: object, image_CHW: Tensor) -> Tensor:
    picture = require_tensor(degradation, degraded, image_CHW.shape, image_CHW, "the degraded picture")
    require_picture(degradation, picture, "the degraded picture")
    return picture


def rounded(image: Tensor, bits: int | None) -> Tensor:
    """Clips a picture to [0, 1] and rounds it to a number of bits.

    If ``bits`` is None, returns the picture as it is. With 8 bits, the values are those that ``load_image`` reads from
    a file of ``save_image``.
    """
    # A model that is trained on more digits than a file has learns to read what no input of a user contains.
    if bits is None:
        return image
    levels = (image.clamp(0, 1) * (2.0**bits - 1)).round()
    return levels / (2.0**bits - 1)


def rng_of(seed: int, key: Key) -> torch.Generator:
    """Returns the generator of a picture's degradation."""
    return generator(seed, "degrade", key)


def spawn(rng: torch.Generator) -> torch.Generator:
    """Returns a new generator that is seeded by the next number of ``rng``."""
    return seeded(draw_seed(rng))


def draw_seed(rng: torch.Generator) -> int:
    """Draws the seed of a random field or of a generator, for a recipe."""
    # every JSON reader keeps integers below 2^53 exactly; some read larger ones as rounded doubles
    return int(torch.randint(2**53, (), generator=rng))


def seeded(seed: int) -> torch.Generator:
    """Returns the generator for a seed from a recipe."""
    return torch.Generator().manual_seed(seed)


def draw(degradation: Degrader, rng: torch.Generator, size: tuple[int, int]) -> Recipe:
    """Returns the recipe of any degradation for a fresh ``rng``.

    If the degradation is not ``Replayable``, the recipe is the seed of ``rng``.
    """
    if not isinstance(degradation, Replayable):
        return {"seed": rng.initial_seed()}
    recipe = degradation.draw(rng, size)
    require_type(degradation, recipe, Mapping, "the recipe that it draws")
    return recipe


def replay(degradation: Degrader, image_CHW: Tensor, recipe: Recipe) -> Tensor:
    """Repeats the degradation of a recipe from ``draw``.

    The result is the same to the bit. Raises ContractError if it is not a picture of this size.
    """
    if isinstance(degradation, Replayable):
        return _checked(degradation, degradation.apply(image_CHW.clone(), recipe), image_CHW)
    return _checked(degradation, degradation(image_CHW.clone(), seeded(recipe["seed"])), image_CHW)


def drawn_of(degradation: Degrader, recipe: Recipe, size: tuple[int, int]) -> dict[str, Tensor]:
    """Returns what a degradation tells of a recipe, for a picture of (height, width) px.

    Empty if it tells nothing. Raises ContractError if that is not what ``Replayable.drawn`` says.
    """
    if not isinstance(degradation, Replayable):
        return {}
    found = degradation.drawn(recipe, size)
    require_type(degradation, found, Mapping, "what drawn returns")
    return {name: _told(degradation, name, value, size) for name, value in found.items()}


def drawn_for(degradation: Degrader, seed: int, key: Key, size: tuple[int, int]) -> dict[str, Tensor]:
    """Returns what a degradation tells of the picture with this key, each value under ``drawn/NAME``."""
    if not isinstance(degradation, Replayable) or type(degradation).drawn is Replayable.drawn:
        return {}
    found = drawn_of(degradation, draw(degradation, rng_of(seed, key), size), size)
    return {f"drawn/{name}": value for name, value in found.items()}


def _told(degradation: Degrader, name: str, value: object, size: tuple[int, int]) -> Tensor:
    shape = tuple(value.shape) if isinstance(value, Tensor) and value.ndim == 1 else (1, *size)
    if isinstance(value, Tensor) and value.ndim == 3:
        shape = (len(value), *size)
    return require_tensor(degradation, value, shape, torch.empty(0), f"'{name}' of what drawn returns")


def degraded_sample(
    sample: Sample, degradation: Degrader | None, seed: int, *key: int | str, bits: int | None = 8
) -> Tensor:
    """Returns the sample's own degraded picture or a synthesised one, (3, H, W).

    The picture is synthesised with (seed, sample key, ...) and rounded to ``bits``. Raises ConfigError if both the
    sample and the experiment bring a degradation (unless the sample is ``mixed``), or neither does, and ImageError if
    its size is not the clean one's.
    """
    if sample.degraded is not None and degradation is not None and not sample.mixed:
        raise ConfigError(f"degradation: picture '{sample.key}' is a pair, and a degradation is named too; {RULE}")
    if sample.degraded is not None:
        return _same_size(sample.degraded, sample)
    if degradation is None:
        raise ConfigError(f"degradation: picture '{sample.key}' is a clean picture only, and none is named; {RULE}")
    return _same_size(degrade(sample.clean[None], degradation, seed, [(sample.key, *key)], bits)[0], sample)


def _same_size(degraded: Tensor, sample: Sample) -> Tensor:
    """Returns the degraded picture. Raises ImageError if its size is not that of the clean one."""
    if degraded.shape != sample.clean.shape:
        sizes = [f"{t.shape[-1]}x{t.shape[-2]} px" for t in (degraded, sample.clean)]
        raise ImageError(
            f"{sample.key}: the degraded picture has {sizes[0]} and the clean one {sizes[1]}; they must have one size"
        )
    return degraded
