"""Draws ln sigma from a uniform distribution."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from texprior.plugin import Options


class LogUniform:
    """ln sigma is uniform in mean +- sqrt(3) std, the interval whose standard deviation is std."""

    def __init__(self, options: Options, mean: float, std: float) -> None:
        self.mean, self.half = mean, math.sqrt(3) * std

    def __call__(self, normal: Tensor) -> Tensor:
        """Returns the levels, of the shape of z; erf(z / sqrt(2)) is uniform in (-1, 1)."""
        return (self.mean + self.half * torch.erf(normal / math.sqrt(2))).exp()
