"""Adds camera noise: Poisson-Gaussian noise in linear light (see ``_sensor``), converted to picture values."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from texprior.flow.degrade import Recipe, Replayable
from texprior_plugins.degradation import CameraNoiseOptions
from texprior_plugins.degradation._light import to_light, to_values
from texprior_plugins.degradation._sensor import draw_noise, with_noise


class CameraNoise(Replayable):
    """Sensor noise of a random level; its variance grows with the light."""

    def __init__(self, options: CameraNoiseOptions) -> None:
        self.options = options

    def draw(self, rng: torch.Generator, size: tuple[int, int]) -> Recipe:
        """Draws the level of the noise and the seed of its field."""
        return draw_noise(self.options.shot_min, self.options.shot_max, self.options.read, rng)

    def drawn(self, recipe: Recipe, size: tuple[int, int]) -> Mapping[str, Tensor]:
        """Tells the levels of shot noise a and readout noise b, (2,); the variance of light y is a y + b."""
        return {"levels": torch.tensor([recipe["shot"], recipe["read"]], dtype=torch.float32)}

    def apply(self, image_CHW: Tensor, recipe: Recipe) -> Tensor:
        """Returns the noisy picture, (3, H, W) float32 in [0, 1]."""
        return to_values(with_noise(to_light(image_CHW), recipe))
