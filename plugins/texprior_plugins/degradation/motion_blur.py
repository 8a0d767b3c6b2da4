"""Blurs a picture as if the camera shakes while the shutter is open.

The trajectories are those of Boracchi and Foi (2012), as Kupyn et al. (CVPR 2018, DeblurGAN) generate them. The camera
moves at constant speed. At each instant its velocity changes by a random push and by a pull back to the starting
point. Sometimes a jerk turns it around. Light adds up along the path, so the blur acts in linear light.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from texprior.flow.degrade import Recipe, Replayable, draw_seed, seeded
from texprior_plugins.degradation import MotionBlurOptions
from texprior_plugins.degradation._filter import filtered
from texprior_plugins.degradation._light import in_light
from texprior_plugins.degradation._noise import uniform

# Steps of a trajectory: the longest path, 200 px, then has five points per pixel, so its kernel has no gaps.
_STEPS = 1000
_PUSH, _PULL, _JERK = 10.0, 0.7, 0.2
"""The largest values that Kupyn et al. draw for each trajectory."""
_MOST_SHAKE = 0.02
"""The factor on push, pull and jerk at ``shake`` = 1: twice the largest one that Kupyn et al. use.

Up to it, trajectories are paths; above it they shrink to points.
"""


def trajectory(length: float, shake: float, seed: int) -> NDArray[np.complex128]:
    """Returns the path of the camera's direction at 1,001 instants.

    Its points are x + i y in px, with mean 0. The path is ``length`` px long. ``shake`` is from 0 to 1: a straight line
    at 0; at 1 the camera trembles around its starting point.
    """
    rng, shake = seeded(seed), shake * _MOST_SHAKE
    push, pull, jerk = (uniform(0, bound, rng) for bound in (_PUSH, _PULL, _JERK))
    step = length / _STEPS
    velocity = cmath.rect(step, uniform(0, 2 * math.pi, rng))
    pushes = torch.randn(_STEPS, 2, generator=rng, dtype=torch.float64).tolist()
    jerks = torch.rand(_STEPS, 2, generator=rng, dtype=torch.float64).tolist()

    x, positions = 0j, [0j]
    for (push_x, push_y), (happens, turn) in zip(pushes, jerks, strict=True):
        if happens < jerk * shake:
            velocity += 2 * velocity * cmath.exp(1j * (math.pi + turn - 0.5))
        velocity += shake * (push * complex(push_x, push_y) - pull * x) * step
        # The speed stays constant, so that the path has the length that the option states.
        velocity *= step / abs(velocity) if velocity else 0
        x += velocity
        positions.append(x)

    # The mean is taken away so that a blurred picture is not shifted.
    found = np.array(positions)
    return found - found.mean()


def kernel_of(positions: NDArray[np.complex128]) -> NDArray[np.float64]:
    """Returns the point spread function of a trajectory, of odd size and sum 1.

    Each instant is shared by the four pixels around its position (bilinear weights).
    """
    half = int(np.ceil(max(np.abs(positions.real).max(), np.abs(positions.imag).max()))) + 1
    kernel = np.zeros((2 * half + 1, 2 * half + 1))
    x, y = positions.real + half, positions.imag + half
    column, row = np.floor(x).astype(int), np.floor(y).astype(int)
    right, below = x - column, y - row
    for dy, weight_y in ((0, 1 - below), (1, below)):
        for dx, weight_x in ((0, 1 - right), (1, right)):
            np.add.at(kernel, (row + dy, column + dx), weight_y * weight_x)
    return kernel / len(positions)


class MotionBlur(Replayable):
    """Blurs along a random trajectory, which is the same for the whole picture."""

    def __init__(self, options: MotionBlurOptions) -> None:
        self.options = options

    def draw(self, rng: torch.Generator, size: tuple[int, int]) -> Recipe:
        """Draws the length of the path, px, and the seed of its shape."""
        options = self.options
        return {"length": uniform(options.length_min, options.length_max, rng), "seed": draw_seed(rng)}

    def drawn(self, recipe: Recipe, size: tuple[int, int]) -> Mapping[str, Tensor]:
        """Tells the length of the path, px, (1,)."""
        return {"length": torch.tensor([recipe["length"]], dtype=torch.float32)}

    def apply(self, image_CHW: Tensor, recipe: Recipe) -> Tensor:
        """Returns the blurred picture, (3, H, W) float32 in [0, 1]; borders are mirrored."""
        kernel = kernel_of(trajectory(recipe["length"], self.options.shake, recipe["seed"]))
        return in_light(image_CHW, lambda light: filtered(light, kernel))
