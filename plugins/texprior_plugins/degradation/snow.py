"""Falling snow: opaque white flakes in layers of distance.

The model of Liu et al. (2018, DesnowNet): I = J (1 - z) + C z, with the cover z of the flakes and their colour C; here
in linear light. The cover is rendered: near flakes are large, few, blurred by motion and out of focus, far ones
small and many (as z² at z times the distance, since they fill the space evenly). What blurs a flake spreads its
cover over more pixels without changing its sum.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import fftconvolve
from torch import Tensor

from texprior.flow.degrade import Recipe, Replayable, draw_seed, seeded
from texprior_plugins.degradation import SnowOptions
from texprior_plugins.degradation._light import to_light, to_values
from texprior_plugins.degradation._noise import uniform
from texprior_plugins.degradation.defocus import disc

DISTANCES = (0.3, 0.55, 1.0, 1.8, 3.2)
"""Of the layers, in units of the distance at which a flake has the size that the options say."""
SHAPES = 3
"""Different flakes in a layer."""
_JITTER_DEG = 12.0

Kernel = NDArray[np.float64]


def shares() -> Kernel:
    """The share of each layer in all flakes, proportional to its distance squared."""
    squared = np.square(DISTANCES)
    return squared / squared.sum()


def flake(radius: float, lobes: NDArray[np.float64]) -> Kernel:
    """The share of each pixel that a flake covers, centred, odd in size.

    Its outline is r (1 + sum of a_k cos(k phi + psi_k)) with ``lobes`` the pairs (a_k, psi_k), k from 2.
    """
    half = int(np.ceil(radius * (1 + lobes[:, 0].sum()) + 0.5))
    fine = max(4, int(np.ceil(8 / radius)))  # subsamples along a side of a pixel
    steps = (np.arange((2 * half + 1) * fine) + 0.5) / fine - half - 0.5
    y, x = np.meshgrid(steps, steps, indexing="ij")
    phi = np.arctan2(y, x)
    outline = 1 + sum(a * np.cos(k * phi + psi) for k, (a, psi) in enumerate(lobes, 2))
    inside = np.clip((radius * outline - np.hypot(x, y)) * fine + 0.5, 0, 1)
    side = 2 * half + 1
    covered: Kernel = inside.reshape(side, fine, side, fine).mean((1, 3))
    return covered


def path(length: float, angle_deg: float) -> Kernel:
    """A straight way of ``length`` px as a kernel of sum 1; the angle is counted from the vertical."""
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
    """Flakes of several sizes that fall in about one direction (within 12 degrees)."""

    def __init__(self, options: SnowOptions) -> None:
        self.options = options

    def draw(self, rng: torch.Generator, size: tuple[int, int]) -> Recipe:
        """The direction of fall, and the seed of the flakes' shapes and places."""
        return {"angle": uniform(self.options.angle_min, self.options.angle_max, rng), "seed": draw_seed(rng)}

    def apply(self, image_CHW: Tensor, recipe: Recipe) -> Tensor:
        """The snowy picture, (3, H, W) float32 in [0, 1]."""
        cover = torch.from_numpy(self.cover(image_CHW.shape[-2], image_CHW.shape[-1], recipe))
        return to_values(torch.lerp(to_light(image_CHW), torch.tensor(self.options.brightness), cover))

    def cover(self, height: int, width: int, recipe: Recipe) -> NDArray[np.float32]:
        """z, the part of each pixel's light that comes from flakes, (H, W) in [0, 1]."""
        options, rng = self.options, seeded(recipe["seed"])
        clear = np.ones((height, width))
        for distance, share in zip(DISTANCES, shares(), strict=True):
            for _ in range(SHAPES):
                kernel = self.kernel(distance, recipe["angle"], rng)
                half = kernel.shape[0] // 2  # flakes outside the picture reach into it
                size = (height + 2 * half, width + 2 * half)
                here = torch.rand(size, generator=rng) < options.density * share / SHAPES
                flakes = (here * (0.5 + 0.5 * torch.rand(size, generator=rng))).numpy().astype(np.float64)
                clear *= 1 - (options.opacity * fftconvolve(flakes, kernel, mode="valid")).clip(0, 1)
        cover: NDArray[np.float32] = (1 - clear).astype(np.float32)
        return cover

    def kernel(self, distance: float, angle_deg: float, rng: torch.Generator) -> Kernel:
        """One flake of a layer with a shape and a way of its own, defocused and blurred by motion."""
        options = self.options
        lobes = np.array([(uniform(0, 0.5 / k, rng), uniform(0, 2 * np.pi, rng)) for k in range(2, 6)])
        radius = options.size / distance * uniform(0.7, 1.3, rng)
        way = options.motion / distance * uniform(0.5, 1.5, rng)
        direction = angle_deg + uniform(-_JITTER_DEG, _JITTER_DEG, rng)
        sharp = flake(radius, lobes)
        defocused = fftconvolve(sharp, disc(options.blur / distance))
        kernel: Kernel = fftconvolve(defocused, path(way, direction)).clip(0)
        return kernel
