"""Draws the random numbers that several degradations need.

All numbers come from the picture's own generator, or from a seed in the picture's recipe.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from texprior.flow.degrade import seeded


def uniform(low: float, high: float, rng: torch.Generator) -> float:
    """Draws one number, uniform in [low, high]."""
    return low + (high - low) * float(torch.rand((), generator=rng, dtype=torch.float64))


def log_uniform(low: float, high: float, rng: torch.Generator) -> float:
    """Draws one number in [low, high] whose logarithm is uniform; ``low`` must be above 0."""
    return math.exp(uniform(math.log(low), math.log(high), rng))


def pick(shares: Sequence[float], rng: torch.Generator) -> int:
    """Draws an index into ``shares``, with probabilities proportional to them."""
    at = uniform(0, sum(shares), rng)
    # Rounding can bring ``at`` up to the last cumulative sum, whose index would be past the end.
    return min(int(np.searchsorted(np.cumsum(shares), at, side="right")), len(shares) - 1)


def normal(rng: torch.Generator) -> float:
    """Draws one number from the standard normal distribution."""
    return float(torch.randn((), generator=rng, dtype=torch.float64))


def gaussian(image_CHW: Tensor, std_255: float, seed: int) -> Tensor:
    """Returns white Gaussian noise in the picture's shape, float32.

    ``std_255`` is its standard deviation in units of 1/255.
    """
    return torch.randn(image_CHW.shape, generator=seeded(seed)) * (std_255 / 255)
