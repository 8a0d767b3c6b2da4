"""Chooses noise levels between two bounds by a formula."""

from __future__ import annotations

from torch import Tensor

from texprior.diffusion import sigmas
from texprior.flow.schedule import Range
from texprior.plugin import Options


class Karras:
    """sigma^(1 / rho) is linear in u (Karras et al. 2022, eq. 5)."""

    def __init__(self, options: Options) -> None:
        pass

    def __call__(self, u: Tensor, within: Range) -> Tensor:
        """Returns the levels, (steps,), float64."""
        return sigmas.karras(u, within.sigma_min, within.sigma_max, within.rho)


class Exponential:
    """ln sigma is linear in u: the limit of ``Karras`` for rho to infinity."""

    def __init__(self, options: Options) -> None:
        pass

    def __call__(self, u: Tensor, within: Range) -> Tensor:
        """Returns the levels, (steps,), float64."""
        return sigmas.exponential(u, within.sigma_min, within.sigma_max)
