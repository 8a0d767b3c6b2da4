"""Heun's second-order method with churn (Karras et al. 2022, algorithm 2)."""

from __future__ import annotations

from itertools import pairwise
from math import sqrt
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from texprior.flow.sample import Denoise, Noise
    from texprior_plugins.sampler import HeunOptions


class Heun:
    """Karras et al. 2022, algorithm 2, with sigma(t) = t; algorithm 1 where churn = 0.

    ``noise(i)`` is asked for only where step i churns.
    """

    def __init__(self, options: HeunOptions) -> None:
        self.options = options

    def calls(self, steps: int) -> int:
        """Two network calls per step, one for the last, whose next sigma is 0."""
        return 2 * steps - 1

    def __call__(self, denoise: Denoise, x_BCHW: Tensor, sigmas: Tensor, noise: Noise) -> Tensor:
        """The layer at sigma 0, (B, C, H, W); ``sigmas`` decrease to a final 0, (steps + 1,)."""
        levels = sigmas.tolist()
        for i, (sigma, following) in enumerate(pairwise(levels)):
            raised = sigma * (1 + self._gamma(sigma, steps=len(levels) - 1))
            if raised > sigma:
                added = self.options.s_noise * sqrt(raised**2 - sigma**2)
                x_BCHW = x_BCHW + added * noise(i).to(x_BCHW)
            slope = (x_BCHW - denoise(x_BCHW, sigmas.new_tensor(raised))) / raised
            euler = x_BCHW + (following - raised) * slope
            if following > 0:
                slope_there = (euler - denoise(euler, sigmas[i + 1])) / following
                euler = x_BCHW + (following - raised) * (slope + slope_there) / 2
            x_BCHW = euler
        return x_BCHW

    def _gamma(self, sigma: float, steps: int) -> float:
        """By which share sigma is raised before a step (algorithm 2, line 4)."""
        churns = self.options.s_min <= sigma <= self.options.s_max
        return min(self.options.churn / steps, sqrt(2) - 1) if churns else 0.0
