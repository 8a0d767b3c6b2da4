"""DPM-Solver++ 2M and its SDE form (Lu et al. 2022) in the variable sigma."""

from __future__ import annotations

from itertools import pairwise
from math import exp, expm1, log, sqrt
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from texprior.flow.sample import Denoise, Noise
    from texprior_plugins.sampler import DpmppOptions, DpmppSdeOptions


class Dpmpp2M:
    """Lu et al. 2022, algorithm 2 (2M) and its SDE form, divided by alpha, so that lambda = -ln sigma.

    With D = D(x, sigma), E the estimate of the step before, s the next sigma, h = ln(sigma / s), g = (1 + eta) h and
    r = (h of the step before) / h,

    x' = (s / sigma) exp(-eta h) x + (1 - exp(-g)) (D + (D - E) / (2 r)) + s sqrt(1 - exp(-2 eta h)) n.

    eta = 0 solves the probability flow, 1 the reverse SDE; the variance of the fresh noise grows with eta, that of
    DDIM with its square. The form ``heun`` has 1 - (1 - exp(-g)) / g in the place of (1 - exp(-g)) / 2 before the
    difference. The first step has no E and is of first order; a step to sigma 0 gives D, so that a single step is the
    posterior mean. ``noise(i)`` is asked for only where it is added.
    """

    def __init__(self, options: DpmppOptions | DpmppSdeOptions) -> None:
        self.eta, self.form = options.eta, options.form

    def calls(self, steps: int) -> int:
        """One network call per step."""
        return steps

    def __call__(self, denoise: Denoise, x_BCHW: Tensor, sigmas: Tensor, noise: Noise) -> Tensor:
        """The layer at sigma 0, (B, C, H, W); ``sigmas`` decrease to a final 0, (steps + 1,)."""
        before, h_before = None, 0.0
        for i, (sigma, following) in enumerate(pairwise(sigmas.tolist())):
            clean = denoise(x_BCHW, sigmas[i])
            if following == 0:
                return clean
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
        """What the difference of the last two estimates is multiplied by."""
        return -expm1(-g) / 2 if self.form == "midpoint" else 1 + expm1(-g) / g
