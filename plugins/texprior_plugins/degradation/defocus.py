"""Blurs a picture as a defocused lens does, and adds Gaussian noise.

In geometrical optics a thin lens images a point that is out of focus as a disc. The discs of all points add up in
linear light; the noise is added to the picture's values.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from texprior.flow.degrade import Recipe, Replayable, draw_seed
from texprior_plugins.degradation import DefocusOptions
from texprior_plugins.degradation._light import in_light
from texprior_plugins.degradation._noise import gaussian, uniform

# Sample points across a pixel for the area that the disc covers: more is closer to the exact area, but slower.
_SUBSAMPLES = 64


def disc(radius: float) -> NDArray[np.float64]:
    """Returns the point spread function of a disc of ``radius`` px; its sum is 1.

    Its size is (2 n + 1)² with n = floor(radius + 1/2). The weight of a pixel is the area of the disc that it covers.
    Chords are clipped exactly along one axis and summed by the midpoint rule along the other. The results of both
    choices of axis are averaged. A disc with a radius of 1/2 px or less is inside one pixel.
    """
    half = int(np.floor(radius + 0.5))
    if radius <= 0.5:
        return np.ones((1, 1))
    pixels = np.arange(-half, half + 1)
    x = pixels[:, None] + (np.arange(_SUBSAMPLES) + 0.5) / _SUBSAMPLES - 0.5
    chord = np.sqrt(np.clip(radius**2 - x**2, 0, None))[:, None, :]
    low, high = (pixels - 0.5)[None, :, None], (pixels + 0.5)[None, :, None]
    covered = (np.clip(chord, low, high) - np.clip(-chord, low, high)).mean(-1)
    area = covered + covered.T
    psf: NDArray[np.float64] = area / area.sum()
    return psf


class Defocus(Replayable):
    """Blurs with ``disc`` and mirrored borders, adds noise, clips to [0, 1]."""

    def __init__(self, options: DefocusOptions) -> None:
        self.options = options

    def draw(self, rng: torch.Generator, size: tuple[int, int]) -> Recipe:
        """Draws the radius, px, and the seed of the noise."""
        options = self.options
        longest = options.radius if options.radius_max is None else options.radius_max
        return {"radius": uniform(options.radius, longest, rng), "seed": draw_seed(rng)}

    def drawn(self, recipe: Recipe, size: tuple[int, int]) -> Mapping[str, Tensor]:
        """Tells the radius, px, (1,)."""
        return {"radius": torch.tensor([recipe["radius"]], dtype=torch.float32)}

    def apply(self, image_CHW: Tensor, recipe: Recipe) -> Tensor:
        """Returns the blurred, noisy picture, (3, H, W) float32 in [0, 1]."""
        psf = disc(recipe["radius"])
        blurred = in_light(image_CHW, partial(_spread, psf=psf)) if self.options.linear else _spread(image_CHW, psf)
        return (blurred + gaussian(image_CHW, self.options.noise, recipe["seed"])).clamp(0, 1)


def _spread(image_CHW: Tensor, psf: NDArray[np.float64]) -> Tensor:
    """Returns each channel convolved with a symmetric point spread function; borders are mirrored."""
    # SciPy works on one thread and sums in float64: the result is the same to the bit in any worker.
    return torch.from_numpy(np.stack([ndimage.correlate(channel, psf, mode="mirror") for channel in image_CHW.numpy()]))
