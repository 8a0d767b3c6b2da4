"""Implements Heun's second-order method with churn (Karras et al. 2022, algorithm 2)."""

from __future__ import annotations

from itertools import pairwise
from math import sqrt
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from texprior.flow.sample import Denoise, Noise
    from texprior_plugins.sampler import HeunOptions


class Heun:
    """Heun's method (Karras et al. 2022, algorithm 2), with sigma(t) = t.

    With churn = 0 it is algorithm 1. ``noise(i)`` is called only if step i adds noise (churns).
    """

    def __init__(self, options: HeunOptions) -> None:
        self.options = options

    def calls(self, steps: int) -> int:
        """Returns the number of network calls: two per step, and one for the last step.

        The next sigma of the last step is 0.
        """
        return 2 * steps - 1

    def __call__(self, denoise: Denoise, x_BCHW: Tensor, sigmas: Tensor, noise: Noise) -> Tensor:
        """Returns the layer at sigma 0, (B, C, H, W).

        ``sigmas``, (steps + 1,), decrease to a final 0.
        """
        # Python floats: coefficients are computed in float64, and the device is read once, not at every step
        levels = sigmas.tolist()
        for i, (sigma, following) in enumerate(pairwise(levels)):
            # churn: raise x to a higher noise level by fresh noise
            raised = sigma * (1 + self._gamma(sigma, steps=len(levels) - 1))
            if raised > sigma:
                added = self.options.s_noise * sqrt(raised**2 - sigma**2)
                x_BCHW = x_BCHW + added * noise(i).to(x_BCHW)

            # Euler step, then the correction by the mean of both slopes; at sigma 0 the second slope is undefined
            slope = (x_BCHW - denoise(x_BCHW, sigmas.new_tensor(raised))) / raised
            euler = x_BCHW + (following - raised) * slope
            if following > 0:
                slope_there = (euler - denoise(euler, sigmas[i + 1])) / following
                euler = x_BCHW + (following - raised) * (slope + slope_there) / 2
            x_BCHW = euler
        return x_BCHW

    def _gamma(self, sigma: float, steps: int) -> float:
        """Returns the share by which sigma is raised before a step (algorithm 2, line 4)."""
        # the paper's bound sqrt(2) - 1: a step never adds more noise than x already has
        churns = self.options.s_min <= sigma <= self.options.s_max
        return min(self.options.churn / steps, sqrt(2) - 1) if churns else 0.0
