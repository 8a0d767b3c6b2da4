"""Implements the diffusion of whole pictures, as in SR3 (Saharia et al. 2021)."""

from __future__ import annotations

import torch
from torch import Tensor

from texprior.flow.process import DiffusionProcess, Law
from texprior.plugin import Options
from texprior_plugins.process._chain import in_picture, markov, preserving

GREY = 0.5
"""The middle of pictures in [0, 1], and half their range: 2 (x - 1/2) is in [-1, 1]."""


class Picture(DiffusionProcess):
    """A conditional DDPM of the picture (Saharia et al. 2021, section 2.1); the base is grey, 1/2.

    In the authors' units, X = 2 (x - 1/2) in [-1, 1], the law is X_t = a X_0 + sqrt(1 - a^2) n with a^2 = gamma. So
    sigma = sqrt(1 / a^2 - 1) / 2 in units of the picture. The network is given X_t = 2 a s x, where s x is the noisy
    layer in units of the picture.
    """

    def __init__(self, options: Options) -> None:
        pass

    def base_one(self, picture_BCHW: Tensor, structure_BCHW: Tensor) -> Tensor:
        """Returns grey, (B, 3, H, W)."""
        return torch.full_like(picture_BCHW, GREY)

    def base_two(self, degraded_BCHW: Tensor, estimate_BCHW: Tensor) -> Tensor:
        """Returns grey, (B, 3, H, W)."""
        return torch.full_like(estimate_BCHW, GREY)

    def law(self, sigma: Tensor) -> Law:
        """Returns a = 1 / sqrt(1 + 4 sigma^2), b = 1 - a and c = sqrt(1 - a^2) / 2."""
        a = preserving(sigma, GREY)
        return Law(a, 1 - a, sigma * a)

    def enter(self, x_BCHW: Tensor, sigma_B: Tensor, base_BCHW: Tensor, scale: float) -> Tensor:
        """Returns X_t, (B, 3, H, W)."""
        return preserving(in_picture(sigma_B, scale), GREY) * (scale / GREY) * x_BCHW

    def kept(self, sigma: float, following: float) -> float:
        """Returns rho = (following / sigma)^2."""
        return markov(sigma, following)
