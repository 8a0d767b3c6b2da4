"""Chooses noise levels as often as training does."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from texprior.flow.schedule import NoiseLevels, Range
from texprior.plugin import Options

_FAR = 30.0
"""Standard normal numbers beyond this do not occur: the tail has a share of 5e-198."""
_HALVINGS = 200
"""Halvings of the interval of 60: more than float64 has bits."""
_BELOW = 1e-9
"""Where training draws a few levels only, a step may start exactly between two of them: it gets the lower one. Other
levels change by less than float32 shows."""


class TrainingQuantiles:
    """u is linear in the share of training noise above sigma.

    Each trailing step then spans an equal share of the training noise between sigma_min and sigma_max.
    """

    def __init__(self, options: Options) -> None:
        pass

    def __call__(self, u: Tensor, within: Range) -> Tensor:
        """Returns the levels, (steps,), float64."""
        ends = torch.stack([_normal_of(within.training, s) for s in (within.sigma_max, within.sigma_min)])
        # Compute shares of the tail that contains the range: a small share keeps its digits, but 1 minus a small share
        # loses them. The sign mirrors the distribution to its lower tail.
        sign = -1.0 if float(ends[0]) < 0 else 1.0
        shares = torch.special.erfc(sign * ends / math.sqrt(2)) / 2
        normal = -sign * torch.special.ndtri(torch.lerp(shares[0], shares[1], u))
        # rounding in erfc and ndtri may leave the range by a few last digits
        levels = within.training(normal - _BELOW).clamp(within.sigma_min, within.sigma_max)
        # exactly the bounds at the ends, also where the noise of training does not reach them
        return levels.where(u > 0, within.sigma_max).where(u < 1, within.sigma_min)


def _normal_of(levels: NoiseLevels, sigma: float) -> Tensor:
    """Returns the standard normal number whose noise level is sigma, by halving an interval."""
    low, high = (torch.tensor(end, dtype=torch.float64) for end in (-_FAR, _FAR))
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if float(levels(middle)) < sigma else (low, middle)
    return high
