"""Visits noise levels that are written in the options."""

from __future__ import annotations

import torch
from torch import Tensor

from texprior.errors import ConfigError
from texprior.flow.schedule import Range
from texprior_plugins.schedule import ListedOptions


class Listed:
    """The listed levels; for another number of steps, ln sigma is interpolated between them.

    Sabour et al. 2024, arXiv 2404.14507, interpolate their lists in this way.
    """

    def __init__(self, options: ListedOptions) -> None:
        self.levels = options.levels

    def __call__(self, u: Tensor, within: Range) -> Tensor:
        """Returns the levels, (steps,), float64. Raises ConfigError if one is outside of the range."""
        levels = torch.tensor(self.levels, dtype=u.dtype, device=u.device)
        outside = [level for level in self.levels if not within.sigma_min <= level <= within.sigma_max]
        if outside:
            raise ConfigError(
                f"sampling.schedule: the listed level {outside[0]:g} is outside of sigma_min {within.sigma_min:g} to "
                f"sigma_max {within.sigma_max:g}; change the list, or sampling.sigma_min and sampling.sigma_max"
            )
        # exactly as they are written, whatever the spacing
        if len(u) == len(levels):
            return levels
        # the first level is at u = 0, and the last one at u = 1
        position = u * (len(levels) - 1)
        before = position.long().clamp(max=max(len(levels) - 2, 0))
        after = (before + 1).clamp(max=len(levels) - 1)
        return torch.lerp(levels.log()[before], levels.log()[after], position - before).exp()
