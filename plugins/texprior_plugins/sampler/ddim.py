"""DDIM (Song et al. 2021) in the variable sigma."""

from __future__ import annotations

from itertools import pairwise
from math import sqrt
from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from texprior.flow.sample import Denoise, Noise
    from texprior_plugins.sampler import DdimOptions


class Ddim:
    """Song et al. 2021, eq. 12 and 16, divided by sqrt(abar): with D = D(x, sigma) and s the next sigma,

    x' = D + (down / sigma) (x - D) + up n,   up^2 = eta^2 s^2 (sigma^2 - s^2) / sigma^2,   down^2 = s^2 - up^2.

    eta = 0 is Euler's method for the probability flow; eta = 1 is DDPM's posterior with the small
    variance, which is Euler ancestral sampling. ``noise(i)`` is asked for only where up > 0.
    """

    def __init__(self, options: DdimOptions) -> None:
        self.eta = options.eta

    def calls(self, steps: int) -> int:
        """One network call per step."""
        return steps

    def __call__(self, denoise: Denoise, x_BCHW: Tensor, sigmas: Tensor, noise: Noise) -> Tensor:
        """The layer at sigma 0, (B, C, H, W); ``sigmas`` decrease to a final 0, (steps + 1,)."""
        levels = sigmas.tolist()
        for i, (sigma, following) in enumerate(pairwise(levels)):
            clean = denoise(x_BCHW, sigmas[i])
            up, down = _split(sigma, following, self.eta)
            x_BCHW = clean + (down / sigma) * (x_BCHW - clean)
            if up > 0:
                x_BCHW = x_BCHW + up * noise(i).to(x_BCHW)
        return x_BCHW


def _split(sigma: float, following: float, eta: float) -> tuple[float, float]:
    """(up, down): how much of the next sigma is fresh noise, and how much is kept of the present one."""
    up = eta * following * sqrt(sigma**2 - following**2) / sigma
    return up, sqrt(following**2 - up**2)
