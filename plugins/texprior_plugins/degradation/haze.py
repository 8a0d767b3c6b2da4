"""Adds haze with Koschmieder's atmospheric scattering model.

I = J t + A (1 - t), with t = exp(-beta d). The model is that of Narasimhan and Nayar (2002). Here it acts on a
picture's values, not on linear light, as in the RESIDE benchmark (Li et al., 2019).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from texprior.flow.degrade import Recipe, Replayable, draw_seed
from texprior_plugins.degradation import HazeOptions
from texprior_plugins.degradation._depth import depth
from texprior_plugins.degradation._noise import uniform


class Haze(Replayable):
    """Haze of random thickness and airlight over a plausible depth."""

    def __init__(self, options: HazeOptions) -> None:
        self.options = options

    def draw(self, rng: torch.Generator, size: tuple[int, int]) -> Recipe:
        """Draws thickness, airlight of each channel, horizon, and the seed of the relief."""
        options = self.options
        light = uniform(options.airlight_min, options.airlight_max, rng)
        # Red and blue shift in opposite directions: real haze is warmer or cooler, not pink or green.
        warmth = uniform(-options.cast, options.cast, rng)
        return {
            "beta": uniform(options.beta_min, options.beta_max, rng),
            "airlight": [min(max(light + shift, 0.0), 1.0) for shift in (warmth, 0.0, -warmth)],
            "horizon": uniform(0.0, 0.5, rng),
            "seed": draw_seed(rng),
        }

    def apply(self, image_CHW: Tensor, recipe: Recipe) -> Tensor:
        """Returns the hazy picture, (3, H, W) float32 in [0, 1]."""
        airlight = torch.tensor(recipe["airlight"])[:, None, None]
        return torch.lerp(airlight.expand_as(image_CHW), image_CHW, self.transmission(image_CHW, recipe)).clamp(0, 1)

    def transmission(self, image_CHW: Tensor, recipe: Recipe) -> Tensor:
        """Returns t = exp(-beta d), (H, W) float32."""
        options = self.options
        weights = (options.ground, options.colour, options.relief)
        far = depth(image_CHW, weights, recipe["horizon"], recipe["seed"])
        return torch.from_numpy(np.exp(-recipe["beta"] * far).astype(np.float32))
