"""Random numbers that degradations share. All come from the picture's own generator, or from a seed in its recipe."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from texprior.flow.degrade import seeded


def uniform(low: float, high: float, rng: torch.Generator) -> float:
    """One number, uniform in [low, high]."""
    return low + (high - low) * float(torch.rand((), generator=rng, dtype=torch.float64))


def log_uniform(low: float, high: float, rng: torch.Generator) -> float:
    """One number whose logarithm is uniform; low > 0."""
    return math.exp(uniform(math.log(low), math.log(high), rng))


def pick(shares: Sequence[float], rng: torch.Generator) -> int:
    """A number from 0, with probabilities in the given proportions."""
    at = uniform(0, sum(shares), rng)
    return min(int(np.searchsorted(np.cumsum(shares), at, side="right")), len(shares) - 1)


def normal(rng: torch.Generator) -> float:
    """One standard normal number."""
    return float(torch.randn((), generator=rng, dtype=torch.float64))


def gaussian(image_CHW: Tensor, std_255: float, seed: int) -> Tensor:
    """White Gaussian noise of a picture's shape, float32; its standard deviation is given in 1/255."""
    return torch.randn(image_CHW.shape, generator=seeded(seed)) * (std_255 / 255)
