"""Draws only the noise levels that sampling visits."""

from __future__ import annotations

import torch
from torch import Tensor

from texprior.diffusion.sigmas import linspace, log_normal, trailing
from texprior.flow.schedule import LevelSchedule, Range, levels_of
from texprior_plugins.noise_levels import SampledOptions

_SPACINGS = {"linspace": linspace, "trailing": trailing}


class Sampled:
    """Each of the levels of a schedule, without the final 0, has the same probability.

    Networks for few calls are trained so (Sauer et al. 2023, arXiv 2311.17042, section 3.1).
    """

    def __init__(self, options: SampledOptions, mean: float, std: float, schedule: LevelSchedule) -> None:
        o = options
        within = Range(o.sigma_min, o.sigma_max, o.rho, lambda normal: log_normal(normal, mean, std))
        levels = levels_of(schedule, _SPACINGS[o.spacing](o.steps), within)[:-1].flip(0)
        # rounding to float32 may leave the range; a schedule that asks which share is above sigma_min would then err
        self.levels = levels.double().clamp(o.sigma_min, o.sigma_max)

    def __call__(self, normal: Tensor) -> Tensor:
        """Returns the levels, of the shape of z: a function with one step from each level to the next."""
        share = torch.special.ndtr(normal) * len(self.levels)
        return self.levels.to(normal)[share.long().clamp(max=len(self.levels) - 1)]
