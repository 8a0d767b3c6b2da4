"""Adds film grain: noise with a grain size, strongest in the mid-tones."""

from __future__ import annotations

from math import ceil

import torch
from torch import Tensor
from torch.nn import functional as F

from texprior_example import GrainOptions


class Grain:
    """Computes y = x + 2 strength sqrt(x (1 - x)) n.

    The noise n is white noise that is filtered with a Gaussian of ``size`` px, and has unit variance.
    """

    def __init__(self, options: GrainOptions) -> None:
        self.options = options

    def __call__(self, image_CHW: Tensor, rng: torch.Generator) -> Tensor:
        """Returns the degraded picture, (3, H, W) in [0, 1]. All random numbers come from ``rng``."""
        channels = 3 if self.options.colour else 1
        kernel = gaussian(self.options.size)
        reach = len(kernel) - 1
        height, width = image_CHW.shape[-2:]
        # larger than the picture by the reach of the filter, so that the borders need no padding
        white = torch.randn(channels, 1, height + reach, width + reach, generator=rng)
        grain = F.conv2d(F.conv2d(white, kernel[:, None][None, None]), kernel[None][None, None])[:, 0]
        # rounding may leave [0, 1], where the root does not exist
        swing = (image_CHW * (1 - image_CHW)).clamp(min=0).sqrt()
        return (image_CHW + 2 * self.options.strength * swing * grain).clamp(0, 1)


def gaussian(sigma: float) -> Tensor:
    """Returns Gaussian weights along one direction.

    Their squares sum to 1, so that filtered white noise keeps its variance.
    """
    if sigma == 0:
        return torch.ones(1)
    # beyond 3 sigma a Gaussian is below 1.2 % of its peak
    radius = ceil(3 * sigma)
    weights = torch.exp(-0.5 * (torch.arange(-radius, radius + 1) / sigma) ** 2)
    return weights / weights.square().sum().sqrt()
