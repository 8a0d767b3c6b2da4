"""Chooses noise levels by the time steps of a published schedule."""

from __future__ import annotations

from torch import Tensor

from texprior.diffusion import sigmas
from texprior.flow.schedule import Range
from texprior.plugin import Options


class DdpmLinear:
    """The variance-preserving schedule with linear betas (Ho et al. 2020); its largest level is 157.4."""

    def __init__(self, options: Options) -> None:
        pass

    def __call__(self, u: Tensor, within: Range) -> Tensor:
        """Returns the levels, (steps,), float64."""
        return sigmas.of_time(u, sigmas.ddpm_linear_levels(), within.sigma_min, within.sigma_max)


class Cosine:
    """The cosine schedule (Nichol & Dhariwal 2021, eq. 17); its largest level is 20291."""

    def __init__(self, options: Options) -> None:
        pass

    def __call__(self, u: Tensor, within: Range) -> Tensor:
        """Returns the levels, (steps,), float64."""
        return sigmas.of_time(u, sigmas.cosine_levels(), within.sigma_min, within.sigma_max)
