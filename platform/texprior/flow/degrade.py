"""degrade: from a clean picture to a degraded one, and the recipe that makes the same one again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from texprior.diffusion.keys import Key, generator
from texprior.errors import ConfigError
from texprior.flow.image import Sample

Recipe = Mapping[str, Any]
"""What was drawn for one picture, in JSON's types: numbers as they are, a random field by the seed of its generator."""


class Degrader(Protocol):
    """The contract of a degradation. Built as ``Impl(options)``."""

    def __call__(self, image_CHW: Tensor, rng: torch.Generator) -> Tensor:
        """The degraded picture, (3, H, W) in [0, 1], float32 on the CPU like its input, which is left as it was.

        All randomness comes from ``rng``, so that the result is a function of (seed, sample key) alone.
        """
        ...


class Replayable(ABC):
    """A degradation that says what it draws: ``draw`` and ``apply``, one after the other, are the degradation.

    ``apply`` uses no other random numbers than the recipe's, and a recipe that went through JSON gives the same picture
    to the bit. It holds for pictures of the size that it was drawn for.
    """

    @abstractmethod
    def draw(self, rng: torch.Generator, size: tuple[int, int]) -> Recipe:
        """What is random about a picture of (height, width) px, drawn from ``rng``."""

    @abstractmethod
    def apply(self, image_CHW: Tensor, recipe: Recipe) -> Tensor:
        """The degraded picture, (3, H, W) in [0, 1], float32; the input is left as it was."""

    def __call__(self, image_CHW: Tensor, rng: torch.Generator) -> Tensor:
        return self.apply(image_CHW, self.draw(rng, (image_CHW.shape[-2], image_CHW.shape[-1])))


def degrade(image_BCHW: Tensor, degradation: Degrader, seed: int, keys: Sequence[Key]) -> Tensor:
    """Degrades each picture of a batch under its own key; (B, 3, H, W) in [0, 1]."""
    degraded = [degradation(image, rng_of(seed, key)) for image, key in zip(image_BCHW, keys, strict=True)]
    return torch.stack(degraded)


def rng_of(seed: int, key: Key) -> torch.Generator:
    """The generator of a picture's degradation."""
    return generator(seed, "degrade", key)


def spawn(rng: torch.Generator) -> torch.Generator:
    """A generator of its own, seeded by the next number of ``rng``."""
    return seeded(draw_seed(rng))


def draw_seed(rng: torch.Generator) -> int:
    """The seed of a random field or of a generator, to be kept in a recipe."""
    return int(torch.randint(2**53, (), generator=rng))  # JSON's numbers are exact below 2^53 in every reader


def seeded(seed: int) -> torch.Generator:
    """The generator of a seed that a recipe holds."""
    return torch.Generator().manual_seed(seed)


def draw(degradation: Degrader, rng: torch.Generator, size: tuple[int, int]) -> Recipe:
    """The recipe of any degradation for a fresh ``rng``; that of one that is not ``Replayable`` is the rng's seed."""
    return degradation.draw(rng, size) if isinstance(degradation, Replayable) else {"seed": rng.initial_seed()}


def replay(degradation: Degrader, image_CHW: Tensor, recipe: Recipe) -> Tensor:
    """The picture that the degradation made when ``draw`` gave the recipe, to the bit."""
    if isinstance(degradation, Replayable):
        return degradation.apply(image_CHW, recipe)
    return degradation(image_CHW, seeded(recipe["seed"]))


def degraded_sample(sample: Sample, degradation: Degrader | None, seed: int, *key: int | str) -> Tensor:
    """The sample's own degraded picture, or one synthesised under (seed, sample key, ...); (3, H, W)."""
    if sample.degraded is not None and degradation is not None:
        raise ConfigError("degradation: the data set brings its own degraded pictures; set 'degradation: null'")
    if sample.degraded is not None:
        return sample.degraded
    if degradation is None:
        raise ConfigError("degradation: the data set brings no degraded pictures; name a degradation")
    return degrade(sample.clean[None], degradation, seed, [(sample.key, *key)])[0]
