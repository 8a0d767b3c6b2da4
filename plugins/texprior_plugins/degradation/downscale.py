"""Removes resolution: downscales the picture and upscales it to its original size."""

from __future__ import annotations

import torch
from torch import Tensor

from texprior.flow.degrade import Recipe, Replayable
from texprior_plugins.degradation import DownscaleOptions
from texprior_plugins.degradation._noise import uniform
from texprior_plugins.degradation._resize import resized


class Downscale(Replayable):
    """Downscales by a random factor, then upscales to the original size.

    The small size is rounded, and is at least 1 px.
    """

    def __init__(self, options: DownscaleOptions) -> None:
        self.options = options

    def draw(self, rng: torch.Generator, size: tuple[int, int]) -> Recipe:
        """Draws the factor between the two sizes."""
        return {"factor": uniform(self.options.factor_min, self.options.factor_max, rng)}

    def apply(self, image_CHW: Tensor, recipe: Recipe) -> Tensor:
        """Returns the coarse picture in its original size, (3, H, W) float32 in [0, 1]."""
        height, width = image_CHW.shape[-2:]
        small_height, small_width = (max(1, round(n / recipe["factor"])) for n in (height, width))
        # Bicubic and Lanczos overshoot at edges. A stored picture cannot, so both results are clipped.
        small = resized(image_CHW, small_height, small_width, self.options.down).clamp(0, 1)
        return resized(small, height, width, self.options.up).clamp(0, 1)
