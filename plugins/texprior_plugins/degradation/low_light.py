"""Low light: a short exposure, as the sensor sees it and a camera develops it.

After Brooks et al. (2019, "Unprocessing Images for Learned Raw Denoising"): values become linear light, and light raw
sensor levels by taking the white balance back, where red and blue are weaker than green and so noisier once they are
amplified again. The exposure is cut there, noise is added, and the picture is developed with a white balance that is
a little off.
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
"""White balance of the cameras that Brooks et al. looked at."""


class LowLight(Replayable):
    """A picture that was exposed too short, with its noise and a colour cast."""

    def __init__(self, options: LowLightOptions) -> None:
        self.options = options

    def draw(self, rng: torch.Generator, size: tuple[int, int]) -> Recipe:
        """Stops, white balance, cast (each channel's factor), and the noise."""
        options = self.options
        cast = uniform(-options.cast, options.cast, rng)
        return {
            "stops": uniform(options.stops_min, options.stops_max, rng),
            "balance": [uniform(*_RED, rng), 1.0, uniform(*_BLUE, rng)],
            "cast": [2.0**cast, 1.0, 2.0**-cast],
            "noise": draw_noise(options.shot_min, options.shot_max, options.read, rng),
        }

    def apply(self, image_CHW: Tensor, recipe: Recipe) -> Tensor:
        """The dark picture, (3, H, W) float32 in [0, 1]."""
        balance, cast = (torch.tensor(recipe[name])[:, None, None] for name in ("balance", "cast"))
        raw = to_light(image_CHW) * 2.0 ** -recipe["stops"] / balance
        return to_values(with_noise(raw, recipe["noise"]) * balance * cast)
