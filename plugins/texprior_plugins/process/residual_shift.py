"""Implements ResShift (Yue et al. 2023)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from texprior.flow.process import DiffusionProcess, Law
from texprior_plugins.process._chain import in_picture

if TYPE_CHECKING:
    from texprior_plugins.process import ResidualShiftOptions

LAST = 0.999
"""eta_T, at which the chain ends (Yue et al. 2023, section 2.2)."""


class ResidualShift(DiffusionProcess):
    """A shift of the clean picture to the degraded one (Yue et al. 2023, section 2.1).

    With the share eta and k = kappa / 2, x_t = x_0 + eta (y - x_0) + k sqrt(eta) n, so that a = 1 - eta, b = eta and
    c = k sqrt(eta). kappa is for pictures in [-1, 1], and k for [0, 1]. eta at a level is the root of k^2 eta = sigma^2
    (1 - eta)^2 that is below 1. The network is given 2 (x_t - 1/2) / sqrt(1 + kappa^2 eta): x_t in [-1, 1], divided by
    its deviation as if x_0 and y had unit variance. The authors divide latents so, and pixels by 1 + 3 kappa sqrt(eta).
    """

    def __init__(self, options: ResidualShiftOptions) -> None:
        self.kappa, self.of_estimate = options.kappa, options.towards == "estimate"
        self.largest = self.kappa / 2 * math.sqrt(LAST) / (1 - LAST)

    def base_one(self, picture_BCHW: Tensor, structure_BCHW: Tensor) -> Tensor:
        """Returns the structure, (B, 3, H, W): Stage I has no degraded picture."""
        return structure_BCHW

    def base_two(self, degraded_BCHW: Tensor, estimate_BCHW: Tensor) -> Tensor:
        """Returns the picture that the option ``towards`` names, (B, 3, H, W)."""
        return estimate_BCHW if self.of_estimate else degraded_BCHW

    def law(self, sigma: Tensor) -> Law:
        """Returns a = 1 - eta, b = eta and c = k sqrt(eta)."""
        eta = self.eta(sigma)
        return Law(1 - eta, eta, self.kappa / 2 * eta.sqrt())

    def eta(self, sigma: Tensor) -> Tensor:
        """Returns the share of the shift at noise levels in units of the picture."""
        # with q = (sigma / k)^2 and r = sqrt(1 + 4 q) the root is (r - 1) / (r + 1), which cancels for a small q
        q = (sigma / (self.kappa / 2)) ** 2
        return 4 * q / ((1 + 4 * q).sqrt() + 1) ** 2

    def enter(self, x_BCHW: Tensor, sigma_B: Tensor, base_BCHW: Tensor, scale: float) -> Tensor:
        """Returns x_t, centred and divided, (B, 3, H, W)."""
        eta = self.eta(in_picture(sigma_B, scale))
        x_t = base_BCHW + (1 - eta) * scale * x_BCHW
        return (2 * x_t - 1) / (1 + self.kappa**2 * eta).sqrt()

    def kept(self, sigma: float, following: float) -> float:
        """Returns rho = eta_(t-1) / eta_t (Yue et al. 2023, section 2.1)."""
        later, earlier = self.eta(torch.tensor([sigma, following], dtype=torch.float64)).tolist()
        return float(earlier / later)
