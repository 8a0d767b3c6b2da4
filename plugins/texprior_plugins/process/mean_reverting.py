"""Implements IR-SDE (Luo et al. 2023)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from torch import Tensor

from texprior.flow.process import DiffusionProcess, Law
from texprior_plugins.process._chain import in_picture, markov, preserving

if TYPE_CHECKING:
    from texprior_plugins.process import MeanRevertingOptions


class MeanReverting(DiffusionProcess):
    """dx = theta (mu - x) dt + s dw with s^2 = 2 lambda^2 theta (Luo et al. 2023, section 3.1).

    With a = exp(-integral of theta), x_t = a x_0 + (1 - a) mu + lambda sqrt(1 - a^2) n. Its stationary law is
    N(mu, lambda^2). sigma = lambda sqrt(1 / a^2 - 1). The network is given (x_t - mu) / lambda = a s x / lambda, where
    s x is the noisy layer in units of the picture.
    """

    def __init__(self, options: MeanRevertingOptions) -> None:
        self.noise, self.of_estimate = options.noise, options.towards == "estimate"
        self.largest = self.noise * math.sqrt(1 / options.end**2 - 1)

    def base_one(self, picture_BCHW: Tensor, structure_BCHW: Tensor) -> Tensor:
        """Returns the structure, (B, 3, H, W): Stage I has no degraded picture."""
        return structure_BCHW

    def base_two(self, degraded_BCHW: Tensor, estimate_BCHW: Tensor) -> Tensor:
        """Returns mu, the picture that the option ``towards`` names, (B, 3, H, W)."""
        return estimate_BCHW if self.of_estimate else degraded_BCHW

    def law(self, sigma: Tensor) -> Law:
        """Returns a, b = 1 - a and c = lambda sqrt(1 - a^2)."""
        a = preserving(sigma, self.noise)
        return Law(a, 1 - a, sigma * a)

    def enter(self, x_BCHW: Tensor, sigma_B: Tensor, base_BCHW: Tensor, scale: float) -> Tensor:
        """Returns (x_t - mu) / lambda, (B, 3, H, W)."""
        return preserving(in_picture(sigma_B, scale), self.noise) * (scale / self.noise) * x_BCHW

    def kept(self, sigma: float, following: float) -> float:
        """Returns rho = (following / sigma)^2 (Luo et al. 2023, proposition 3.2)."""
        return markov(sigma, following)
