"""Adds the sampled layers to the base.

The result is a restored picture and its spread over the samples.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from texprior.diffusion.process import Process


class Recomposed(NamedTuple):
    """The restored picture and its spread, both (B, 3, H, W)."""

    picture: Tensor
    """In [0, 1]."""
    spread: Tensor
    """Standard deviation over the samples (n - 1), in units of the picture; zero for one sample."""


class Samples:
    """The mean and the spread of sampled layers, (B, 3, H, W), that are added one by one and not kept.

    The recursion is Welford's (Technometrics 1962), which does not cancel as a difference of two large sums would.
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean = torch.empty(0)
        self._squares = torch.empty(0)

    def add(self, layer_BCHW: Tensor) -> None:
        """Adds a layer."""
        self.count += 1
        if self.count == 1:
            self.mean = layer_BCHW
            return
        if self.count == 2:
            self.mean, self._squares = self.mean.clone(), torch.zeros_like(layer_BCHW)
        off = layer_BCHW - self.mean
        self.mean += off / self.count
        self._squares.addcmul_(off, layer_BCHW - self.mean)

    def deviation(self) -> Tensor:
        """Returns the standard deviation over the layers (n - 1); zero for one layer."""
        if self.count == 1:
            return torch.zeros_like(self.mean)
        # n - 1: dividing by n would show 29 % too little for two samples
        return (self._squares / (self.count - 1)).sqrt()


def recompose(process: Process, base_BCHW: Tensor, samples: Samples, texture_strength: float = 1.0) -> Recomposed:
    """Returns the restored picture and its spread.

    The picture is base + w * scale * (mean of the K sampled layers), clipped to [0, 1]. w is ``texture_strength``.
    """
    picture = process.picture(base_BCHW, samples.mean, texture_strength)
    return Recomposed(picture, samples.deviation() * process.scale * texture_strength)
