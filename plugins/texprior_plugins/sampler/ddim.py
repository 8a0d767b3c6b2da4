"""Implements DDIM (Song et al. 2021) in the variable sigma."""

from __future__ import annotations

from itertools import pairwise
from math import sqrt
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from texprior.flow.sample import Denoise, Noise
    from texprior_plugins.sampler import DdimOptions


class Ddim:
    """DDIM with eta (Song et al. 2021, eq. 12 and 16), divided by sqrt(abar).

    With D = D(x, sigma) and s the next sigma,

    x' = D + (down / sigma) (x - D) + up n,   up^2 = eta^2 s^2 (sigma^2 - s^2) / sigma^2,   down^2 = s^2 - up^2.

    eta = 0 is Euler's method for the probability flow. eta = 1 is DDPM's posterior with the small variance, which is
    Euler ancestral sampling. ``noise(i)`` is called only if up > 0.
    """

    def __init__(self, options: DdimOptions) -> None:
        self.eta = options.eta

    def calls(self, steps: int) -> int:
        """Returns the number of network calls, one per step."""
        return steps

    def __call__(self, denoise: Denoise, x_BCHW: Tensor, sigmas: Tensor, noise: Noise) -> Tensor:
        """Returns the layer at sigma 0, (B, C, H, W).

        ``sigmas``, (steps + 1,), decrease to a final 0.
        """
        # Python floats: coefficients are computed in float64, and the device is read once, not at every step
        levels = sigmas.tolist()
        for i, (sigma, following) in enumerate(pairwise(levels)):
            clean = denoise(x_BCHW, sigmas[i])
            up, down = _split(sigma, following, self.eta)
            x_BCHW = clean + (down / sigma) * (x_BCHW - clean)
            if up > 0:
                x_BCHW = x_BCHW + up * noise(i).to(x_BCHW)
        return x_BCHW


def _split(sigma: float, following: float, eta: float) -> tuple[float, float]:
    """Splits the next sigma into (up, down).

    ``up`` is the standard deviation of fresh noise, ``down`` that of the noise kept from the current x.
    """
    up = eta * following * sqrt(sigma**2 - following**2) / sigma
    return up, sqrt(following**2 - up**2)
