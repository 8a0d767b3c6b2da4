"""Simulates low light: a short exposure that a sensor records and a camera develops.

After Brooks et al. (2019, "Unprocessing Images for Learned Raw Denoising"), in four steps:

1. The picture's values become linear light.
2. Undoing the white balance turns light into raw sensor levels. There red and blue are weaker than green, so they
   are noisier after they are amplified again.
3. The exposure is reduced and noise is added at the raw levels.
4. The picture is developed with a white balance that is slightly wrong.
"""

from __future__ import annotations

import torch
from torch import Tensor

from texprior.flow.degrade import Recipe, Replayable
from texprior_plugins.degradation import LowLightOptions
from texprior_plugins.degradation._light import to_light, to_values
from texprior_plugins.degradation._noise import uniform
from texprior_plugins.degradation._sensor import draw_noise, with_noise

_RED, _BLUE = (1.9, 2.4), (1.5, 1.9)
"""Ranges of the white balance gains of the cameras that Brooks et al. studied."""


class LowLight(Replayable):
    """Makes pictures look underexposed, with sensor noise and a colour cast."""

    def __init__(self, options: LowLightOptions) -> None:
        self.options = options

    def draw(self, rng: torch.Generator, size: tuple[int, int]) -> Recipe:
        """Draws the loss of exposure in stops, white balance, cast, and the noise.

        White balance and cast are one factor per channel each.
        """
        options = self.options
        cast = uniform(-options.cast, options.cast, rng)
        return {
            "stops": uniform(options.stops_min, options.stops_max, rng),
            "balance": [uniform(*_RED, rng), 1.0, uniform(*_BLUE, rng)],
            "cast": [2.0**cast, 1.0, 2.0**-cast],
            "noise": draw_noise(options.shot_min, options.shot_max, options.read, rng),
        }

    def apply(self, image_CHW: Tensor, recipe: Recipe) -> Tensor:
        """Returns the dark picture, (3, H, W) float32 in [0, 1]."""
        balance, cast = (torch.tensor(recipe[name])[:, None, None] for name in ("balance", "cast"))
        raw = to_light(image_CHW) * 2.0 ** -recipe["stops"] / balance
        return to_values(with_noise(raw, recipe["noise"]) * balance * cast)
