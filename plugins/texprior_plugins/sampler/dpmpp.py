"""Implements DPM-Solver++ 2M and its SDE form (Lu et al. 2022) in the variable sigma."""

from __future__ import annotations

from itertools import pairwise
from math import exp, expm1, log, sqrt
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from texprior.flow.sample import Denoise, Noise
    from texprior_plugins.sampler import DpmppOptions, DpmppSdeOptions


class Dpmpp2M:
    """DPM-Solver++ 2M and its SDE form (Lu et al. 2022, algorithm 2), divided by alpha.

    So lambda = -ln sigma. With D = D(x, sigma), E the estimate of the step before, s the next sigma,
    h = ln(sigma / s), g = (1 + eta) h and r = (h of the step before) / h,

    x' = (s / sigma) exp(-eta h) x + (1 - exp(-g)) (D + (D - E) / (2 r)) + s sqrt(1 - exp(-2 eta h)) n.

    eta = 0 solves the probability flow, 1 the reverse SDE. The variance of the fresh noise grows with eta, that of DDIM
    with its square. The form ``heun`` has the factor 1 - (1 - exp(-g)) / g of the difference, instead of
    (1 - exp(-g)) / 2.

    The first step has no E and is of first order. A step to sigma 0 returns D, so that a single step is the posterior
    mean. ``noise(i)`` is called only if it is added.
    """

    def __init__(self, options: DpmppOptions | DpmppSdeOptions) -> None:
        self.eta, self.form = options.eta, options.form

    def calls(self, steps: int) -> int:
        """Returns the number of network calls, one per step."""
        return steps

    def __call__(self, denoise: Denoise, x_BCHW: Tensor, sigmas: Tensor, noise: Noise) -> Tensor:
        """Returns the layer at sigma 0, (B, C, H, W).

        ``sigmas``, (steps + 1,), decrease to a final 0.
        """
        # Python floats: coefficients are computed in float64, and the device is read once, not at every step
        before, h_before = None, 0.0
        for i, (sigma, following) in enumerate(pairwise(sigmas.tolist())):
            clean = denoise(x_BCHW, sigmas[i])
            # here ln(sigma / s) is infinite, and the limit of the step is D
            if following == 0:
                return clean

            # expm1 keeps its digits for small steps, for which 1 - exp(-g) loses them
            h = log(sigma / following)
            g = (1 + self.eta) * h
            x_BCHW = (following / sigma) * exp(-self.eta * h) * x_BCHW - expm1(-g) * clean
            if before is not None:
                x_BCHW = x_BCHW + self._share(g) * (h / h_before) * (clean - before)
            if self.eta > 0:
                x_BCHW = x_BCHW + following * sqrt(-expm1(-2 * self.eta * h)) * noise(i).to(x_BCHW)
            before, h_before = clean, h
        return x_BCHW

    def _share(self, g: float) -> float:
        """Returns the factor of the difference of the last two estimates."""
        return -expm1(-g) / 2 if self.form == "midpoint" else 1 + expm1(-g) / g
