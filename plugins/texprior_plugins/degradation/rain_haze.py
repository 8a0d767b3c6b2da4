"""Adds heavy rain: streaks, and the veil that far rain forms.

The model of Li et al. (CVPR 2019), who made the Outdoor-Rain data with it: I = t (J + S) + (1 - t) A, with streaks S
and a transmission t that falls with depth. Here streaks cover the background instead of being added (see ``rain``).
"""

from __future__ import annotations

import torch
from torch import Tensor

from texprior.flow.degrade import Recipe, Replayable
from texprior_plugins.degradation import RainHazeOptions
from texprior_plugins.degradation.haze import Haze
from texprior_plugins.degradation.rain import Rain


class RainHaze(Replayable):
    """Adds rain, then haze over the rainy picture.

    The depth is that of the picture without rain.
    """

    def __init__(self, options: RainHazeOptions) -> None:
        self.rain, self.haze = Rain(options.rain), Haze(options.haze)

    def draw(self, rng: torch.Generator, size: tuple[int, int]) -> Recipe:
        """Draws the recipes of rain and haze."""
        return {"rain": self.rain.draw(rng, size), "haze": self.haze.draw(rng, size)}

    def apply(self, image_CHW: Tensor, recipe: Recipe) -> Tensor:
        """Returns the rainy, hazy picture, (3, H, W) float32 in [0, 1]."""
        t = self.haze.transmission(image_CHW, recipe["haze"])
        airlight = torch.tensor(recipe["haze"]["airlight"])[:, None, None].expand_as(image_CHW)
        return torch.lerp(airlight, self.rain.apply(image_CHW, recipe["rain"]), t).clamp(0, 1)
