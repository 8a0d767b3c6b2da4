"""Adds falling snow: opaque white flakes in layers of distance.

The model of Liu et al. (2018, DesnowNet): I = J (1 - z) + C z, with the cover z of the flakes and their colour C; here
in linear light. The cover is rendered. Near flakes are large, few, blurred by motion and out of focus. Far flakes are
small and many: z² times as many at z times the distance, because flakes fill the space evenly. Blur spreads the cover
of a flake over more pixels and does not change its sum.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import convolve
from torch import Tensor

from texprior.flow.degrade import Recipe, Replayable, draw_seed, seeded
from texprior_plugins.degradation import SnowOptions
from texprior_plugins.degradation._light import to_light, to_values
from texprior_plugins.degradation._noise import uniform
from texprior_plugins.degradation._scatter import scattered
from texprior_plugins.degradation.defocus import disc

DISTANCES = (0.3, 0.55, 1.0, 1.8, 3.2)
"""Distances of the layers. At 1 ("middle distance") a flake has the size of the options."""
SHAPES = 3
"""Number of different flakes in a layer. Each one costs one convolution of the picture."""
# How far, in degrees, a flake's direction may differ from the common one: more than that of rain (3 degrees).
_JITTER_DEG = 12.0

Kernel = NDArray[np.float64]


def shares() -> Kernel:
    """Returns the share of each layer in all flakes, proportional to its distance squared."""
    squared = np.square(DISTANCES)
    return squared / squared.sum()


def flake(radius: float, lobes: NDArray[np.float64]) -> Kernel:
    """Returns the share of each pixel that a flake covers, centred, with an odd side.

    The outline is r (1 + sum of a_k cos(k phi + psi_k)). ``lobes`` are the pairs (a_k, psi_k), k from 2.
    """
    half = int(np.ceil(radius * (1 + lobes[:, 0].sum()) + 0.5))
    # Subsamples along a side of a pixel: at least 8 per radius, so that a flake smaller than a pixel keeps its area.
    fine = max(4, int(np.ceil(8 / radius)))
    steps = (np.arange((2 * half + 1) * fine) + 0.5) / fine - half - 0.5
    y, x = np.meshgrid(steps, steps, indexing="ij")
    phi = np.arctan2(y, x)
    outline = 1 + sum(a * np.cos(k * phi + psi) for k, (a, psi) in enumerate(lobes, 2))
    inside = np.clip((radius * outline - np.hypot(x, y)) * fine + 0.5, 0, 1)
    side = 2 * half + 1
    covered: Kernel = inside.reshape(side, fine, side, fine).mean((1, 3))
    return covered


def path(length: float, angle_deg: float) -> Kernel:
    """Returns a straight path of ``length`` px as a kernel of sum 1.

    The angle is counted from the vertical.
    """
    half = int(np.ceil(length / 2))
    kernel = np.zeros((2 * half + 3, 2 * half + 3))
    for t in np.linspace(-0.5, 0.5, 4 * half + 1):
        y, x = length * t * np.cos(np.deg2rad(angle_deg)), length * t * np.sin(np.deg2rad(angle_deg))
        row, column = int(np.floor(y)), int(np.floor(x))
        dy, dx = y - row, x - column
        row, column = row + half + 1, column + half + 1
        kernel[row : row + 2, column : column + 2] += np.outer([1 - dy, dy], [1 - dx, dx])
    return kernel / kernel.sum()


class Snow(Replayable):
    """Flakes of several sizes that fall in nearly one direction (within 12 degrees)."""

    def __init__(self, options: SnowOptions) -> None:
        self.options = options

    def draw(self, rng: torch.Generator, size: tuple[int, int]) -> Recipe:
        """Draws the direction of fall, degrees, and the seed of the flakes' shapes and places."""
        return {"angle": uniform(self.options.angle_min, self.options.angle_max, rng), "seed": draw_seed(rng)}

    def apply(self, image_CHW: Tensor, recipe: Recipe) -> Tensor:
        """Returns the snowy picture, (3, H, W) float32 in [0, 1]."""
        cover = torch.from_numpy(self.cover(image_CHW.shape[-2], image_CHW.shape[-1], recipe))
        return to_values(torch.lerp(to_light(image_CHW), torch.tensor(self.options.brightness), cover))

    def cover(self, height: int, width: int, recipe: Recipe) -> NDArray[np.float32]:
        """Returns z, the share of each pixel's light that comes from flakes.

        z is (H, W) in [0, 1].
        """
        options, rng = self.options, seeded(recipe["seed"])
        clear = np.ones((height, width))
        for distance, share in zip(DISTANCES, shares(), strict=True):
            for _ in range(SHAPES):
                kernel = self.kernel(distance, recipe["angle"], rng)
                # Flakes outside the picture reach into it: their field is larger by half a kernel on each side.
                half = kernel.shape[0] // 2
                size = (height + 2 * half, width + 2 * half)
                here = (torch.rand(size, generator=rng) < options.density * share / SHAPES).nonzero()
                flakes = 0.5 + 0.5 * torch.rand(size, generator=rng)[here.unbind(1)]
                # Flakes cover independently, so what they leave free multiplies. FFT rounding can go below 0.
                clear *= 1 - (options.opacity * scattered(here, flakes, kernel, size)).clip(0, 1)
        cover: NDArray[np.float32] = (1 - clear).astype(np.float32)
        return cover

    def kernel(self, distance: float, angle_deg: float, rng: torch.Generator) -> Kernel:
        """Draws one flake of a layer with its own shape and path.

        The flake is defocused and blurred by motion.
        """
        options = self.options
        lobes = np.array([(uniform(0, 0.5 / k, rng), uniform(0, 2 * np.pi, rng)) for k in range(2, 6)])
        radius = options.size / distance * uniform(0.7, 1.3, rng)
        way = options.motion / distance * uniform(0.5, 1.5, rng)
        direction = angle_deg + uniform(-_JITTER_DEG, _JITTER_DEG, rng)
        sharp = flake(radius, lobes)
        # SciPy sums small kernels directly, and transforms large ones.
        defocused = convolve(sharp, disc(options.blur / distance))
        kernel: Kernel = convolve(defocused, path(way, direction)).clip(0)
        return kernel
