"""Implements UniPC of order 2 (Zhao et al. 2023) in the variable sigma."""

from __future__ import annotations

from itertools import pairwise
from math import expm1, log
from typing import TYPE_CHECKING, NamedTuple

from torch import Tensor

if TYPE_CHECKING:
    from texprior.flow.sample import Denoise, Noise
    from texprior_plugins.sampler import UniPcOptions


class _Known(NamedTuple):
    """An estimate D and the sigma at which it was computed."""

    clean: Tensor
    sigma: float


class UniPc:
    """UniP and UniC of Zhao et al. 2023 with data prediction, divided by alpha.

    So lambda = -ln sigma. Each call is used twice: it corrects the step that led to it (UniC-2), then predicts the next
    one (UniP-2). With D_0 and D_1 the estimates at the step's start and end, D_- the one before, s the next sigma,
    h = ln(sigma / s), r = -ln(sigma_- / sigma) / h and B = 1 - exp(-h) (``bh2``) or h (``bh1``),

    x' = (s / sigma) x + (1 - exp(-h)) D_0 + B (rho_- (D_- - D_0) / r + rho_1 (D_1 - D_0)).

    The predictor has (rho_-, rho_1) = (1/2, 0). If there is no D_-, the predictor is of first order and the corrector
    has (0, 1/2). With the corrector, the method is of third order. A step to sigma 0 returns D, so that a single step
    is the posterior mean. The sampler uses no noise.
    """

    def __init__(self, options: UniPcOptions) -> None:
        self.b = options.b

    def calls(self, steps: int) -> int:
        """Returns the number of network calls, one per step."""
        return steps

    def __call__(self, denoise: Denoise, x_BCHW: Tensor, sigmas: Tensor, noise: Noise) -> Tensor:
        """Returns the layer at sigma 0, (B, C, H, W).

        ``sigmas``, (steps + 1,), decrease to a final 0.
        """
        # Python floats: coefficients are computed in float64, and the device is read once, not at every step
        start, now, before = x_BCHW, None, None
        for i, (sigma, following) in enumerate(pairwise(sigmas.tolist())):
            here = _Known(denoise(x_BCHW, sigmas[i]), sigma)
            # here ln(sigma / s) is infinite, and the limit of the step is D; a correction of x would not change D
            if following == 0:
                return here.clean
            # correct the last step with the new estimate, then predict the next one; this costs no further call
            if now is not None:
                x_BCHW = self._step(start, sigma, now, before, end=here.clean)
            start, now, before = x_BCHW, here, now
            x_BCHW = self._step(start, following, now, before)
        return x_BCHW

    def _step(
        self, x_BCHW: Tensor, following: float, now: _Known, before: _Known | None, end: Tensor | None = None
    ) -> Tensor:
        """Steps from x at ``now.sigma`` to the next sigma.

        This is the predictor, or the corrector if ``end``, the estimate at the step's end, is known.
        """
        # expm1 keeps its digits for small steps, for which 1 - exp(-h) loses them
        h = log(now.sigma / following)
        b = h if self.b == "bh1" else -expm1(-h)
        r = -log(before.sigma / now.sigma) / h if before else 0.0
        rho_before, rho_end = (0.5, 0.0) if end is None else _corrector(h, b, r)
        stepped = (following / now.sigma) * x_BCHW - expm1(-h) * now.clean
        if before is not None:
            stepped = stepped + (b * rho_before / r) * (before.clean - now.clean)
        return stepped if end is None else stepped + b * rho_end * (end - now.clean)


def _corrector(h: float, b: float, r: float) -> tuple[float, float]:
    """Returns (rho_-, rho_1), the solution of rho_- + rho_1 = b_1 and r rho_- + rho_1 = b_2.

    r = 0 means that there is no earlier estimate.
    """
    if r == 0:
        return 0.0, 0.5
    a = 1 + expm1(-h) / h
    b_1, b_2 = a / b, (1 - 2 * a / h) / b
    rho = (b_1 - b_2) / (1 - r)
    return rho, b_1 - rho
