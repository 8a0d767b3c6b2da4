"""Random numbers that degradations share. All come from the picture's own generator."""

from __future__ import annotations

import torch
from torch import Tensor


def uniform(low: float, high: float, rng: torch.Generator) -> float:
    """One number, uniform in [low, high]."""
    return low + (high - low) * float(torch.rand((), generator=rng, dtype=torch.float64))


def gaussian(image_CHW: Tensor, std_255: float, rng: torch.Generator) -> Tensor:
    """White Gaussian noise of a picture's shape, float32; its standard deviation is given in 1/255."""
    return torch.randn(image_CHW.shape, generator=rng) * (std_255 / 255)
