"""Draws ln sigma from a normal distribution."""

from __future__ import annotations

from torch import Tensor

from texprior.diffusion.sigmas import log_normal
from texprior.plugin import Options


class LogNormal:
    """ln sigma ~ N(mean, std^2) (Karras et al. 2022, table 1)."""

    def __init__(self, options: Options, mean: float, std: float) -> None:
        self.mean, self.std = mean, std

    def __call__(self, normal: Tensor) -> Tensor:
        """Returns exp(mean + std z), of the shape of z."""
        return log_normal(normal, self.mean, self.std)
