"""degrade: from a clean picture to a degraded one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from texprior.diffusion.keys import Key, generator


class Degrader(Protocol):
    """The contract of a degradation."""

    def __call__(self, image_CHW: Tensor, rng: torch.Generator) -> Tensor:
        """The degraded picture, (3, H, W) in [0, 1], float32 on the CPU like its input, which is left as it was.

        All randomness comes from ``rng``, so that the result is a function of (seed, sample key) alone.
        """
        ...


def degrade(image_BCHW: Tensor, degradation: Degrader, seed: int, keys: Sequence[Key]) -> Tensor:
    """Degrades each picture of a batch under its own key; (B, 3, H, W) in [0, 1]."""
    degraded = [
        degradation(image, generator(seed, "degrade", key)) for image, key in zip(image_BCHW, keys, strict=True)
    ]
    return torch.stack(degraded)
