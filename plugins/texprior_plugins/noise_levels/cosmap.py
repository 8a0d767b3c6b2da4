"""Draws noise levels as often as the cosine schedule has them."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from texprior.plugin import Options


class CosMap:
    """sigma = tan(pi u / 2) with u uniform (Esser et al. 2024, section 3.1), as sigma = t / (1 - t).

    ln sigma then has the hyperbolic secant distribution, whose mean is 0 and whose standard deviation is pi / 2. It is
    shifted to mean and scaled to std. Its tails are heavier than those of a normal distribution.
    """

    def __init__(self, options: Options, mean: float, std: float) -> None:
        self.mean, self.scale = mean, std * 2 / math.pi

    def __call__(self, normal: Tensor) -> Tensor:
        """Returns the levels, of the shape of z."""
        # the tangent of the lower tail: near pi / 2 it would lose its digits, but there it is 1 / tan of the other tail
        below = torch.special.erfc(normal.abs() / math.sqrt(2)) / 2
        ln = torch.copysign(torch.tan(math.pi / 2 * below).log(), normal)
        return (self.mean + self.scale * ln).exp()
