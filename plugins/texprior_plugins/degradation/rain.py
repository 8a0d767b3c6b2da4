"""Adds rain streaks: a falling drop covers a pixel for a part of the exposure.

Garg and Nayar (2007): while a drop is in front of a pixel, the pixel sees the drop's brightness E instead of the
background's B. E gathers light from a wide angle. The exposure collects (1 - a) B + a E in linear light. Rain is
therefore visible in front of dark objects, and hardly in front of the sky. Drops fill the space evenly: at z times
the distance there are z² times as many, and each is z times smaller.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import erf
from torch import Tensor

from texprior.flow.degrade import Recipe, Replayable, draw_seed, seeded
from texprior_plugins.degradation import RainOptions
from texprior_plugins.degradation._light import to_light, to_values
from texprior_plugins.degradation._noise import uniform
from texprior_plugins.degradation._scatter import scattered

DISTANCES = (0.5, 0.7, 1.0, 1.4, 2.0)
"""Distances of the layers. At 1 ("middle distance") a streak has the length and width of the options."""
MEAN_DROP = 0.5
"""Mean of 1/4 + 3/4 u², u uniform in [0, 1]: the share of the longest time for which a drop covers its pixels."""
# How far, in degrees, a layer's direction may differ from the common one: rain falls nearly in parallel.
_JITTER_DEG = 3.0


def shares() -> NDArray[np.float64]:
    """Returns the share of each layer in all drops, proportional to its distance squared."""
    squared = np.square(DISTANCES)
    return squared / squared.sum()


def streak(length: float, width: float, angle_deg: float) -> NDArray[np.float64]:
    """Returns how much of each pixel one streak covers, centred, with an odd side.

    ``length`` and ``width`` are full widths at half maximum, px. The angle is counted from the vertical; it is
    positive if the drop falls to the right. Across, the streak is a Gaussian. Along, it is a box with soft ends,
    because a drop covers every pixel that it crosses equally long. A pixel gets the mean over its own width, so a
    streak narrower than a pixel covers only a part of it.
    """
    soft = max(1.0, length / 3)
    half = int(np.ceil(length / 2 + soft + width + 1))
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float64)
    angle = np.deg2rad(angle_deg)
    along, across = y * np.cos(angle) + x * np.sin(angle), x * np.cos(angle) - y * np.sin(angle)
    spread = width / np.sqrt(4 * np.log(2))  # the profile is exp(-(across / spread)²)
    # The exact integral of the profile over a pixel (erf): point samples would miss a streak narrower than a pixel.
    profile = (erf((across + 0.5) / spread) - erf((across - 0.5) / spread)) * spread * np.sqrt(np.pi) / 2
    ends = np.clip((length / 2 - np.abs(along)) / soft + 0.5, 0, 1)
    kernel: NDArray[np.float64] = profile * ends
    return kernel


class Rain(Replayable):
    """Streaks in layers of distance, all in nearly one direction (within 3 degrees)."""

    def __init__(self, options: RainOptions) -> None:
        self.options = options

    def draw(self, rng: torch.Generator, size: tuple[int, int]) -> Recipe:
        """Draws each layer's direction of fall, degrees, and the seed of the drops' places."""
        angle = uniform(self.options.angle_min, self.options.angle_max, rng)
        angles = [angle + uniform(-_JITTER_DEG, _JITTER_DEG, rng) for _ in DISTANCES]
        return {"angles": angles, "seed": draw_seed(rng)}

    def apply(self, image_CHW: Tensor, recipe: Recipe) -> Tensor:
        """Returns the rainy picture, (3, H, W) float32 in [0, 1]."""
        cover = torch.from_numpy(self.cover(image_CHW.shape[-2], image_CHW.shape[-1], recipe))
        return to_values(torch.lerp(to_light(image_CHW), torch.tensor(self.options.brightness), cover))

    def cover(self, height: int, width: int, recipe: Recipe) -> NDArray[np.float32]:
        """Returns how much drops cover each pixel, (H, W) in [0, 1].

        It is the share of the exposure for which drops cover the pixel.
        """
        options, rng = self.options, seeded(recipe["seed"])
        clear = np.ones((height, width))
        for distance, share, angle in zip(DISTANCES, shares(), recipe["angles"], strict=True):
            kernel = streak(options.length / distance, options.width / distance, angle)
            # Drops outside the picture reach into it, so the field of drops is larger by half a kernel on each side.
            half = kernel.shape[0] // 2
            size = (height + 2 * half, width + 2 * half)
            here = (torch.rand(size, generator=rng) < options.density * share).nonzero()
            drops = 0.25 + 0.75 * torch.rand(size, generator=rng)[here.unbind(1)].square()
            layer = scattered(here, drops, kernel, size)
            # Layers cover independently, so what they leave free multiplies. FFT rounding can give values below 0.
            clear *= 1 - (options.intensity * layer).clip(0, 1)
        cover: NDArray[np.float32] = (1 - clear).astype(np.float32)
        return cover
