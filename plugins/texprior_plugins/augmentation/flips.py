"""Mirrors and turns patches."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from texprior.plugin import Options


class Dihedral:
    """One of the eight symmetries of the square, each as often."""

    def __init__(self, options: Options) -> None:
        pass

    def __call__(self, patch: Mapping[str, Tensor], rng: torch.Generator) -> dict[str, Tensor]:
        """Returns the pictures, all turned alike."""
        flips = [axis for axis in (-2, -1) if _coin(rng)]
        turned = _coin(rng)
        flipped = {name: picture.flip(flips) for name, picture in patch.items()}
        return {name: picture.transpose(-2, -1) if turned else picture for name, picture in flipped.items()}


class Mirror:
    """Left and right exchanged for half of the patches."""

    def __init__(self, options: Options) -> None:
        pass

    def __call__(self, patch: Mapping[str, Tensor], rng: torch.Generator) -> dict[str, Tensor]:
        """Returns the pictures, all mirrored or none."""
        mirrored = _coin(rng)
        return {name: picture.flip(-1) if mirrored else picture for name, picture in patch.items()}


def _coin(rng: torch.Generator) -> bool:
    return bool(torch.rand((), generator=rng) < 0.5)
