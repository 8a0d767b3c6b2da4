"""Motion blur: the camera shakes while the shutter is open.

The trajectories of Boracchi and Foi (2012) as Kupyn et al. (CVPR 2018, DeblurGAN) make them: the camera
moves at constant speed, its velocity changed at each instant by a random push, by a pull back to where it
started, and now and then by a jerk that turns it around. Light adds up along the way, so the blur acts in linear light.
"""

from __future__ import annotations

import cmath
import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from texprior.flow.degrade import Recipe, Replayable, draw_seed, seeded
from texprior_plugins.degradation import MotionBlurOptions
from texprior_plugins.degradation._filter import filtered
from texprior_plugins.degradation._light import to_light, to_values
from texprior_plugins.degradation._noise import uniform

_STEPS = 1000
_PUSH, _PULL, _JERK = 10.0, 0.7, 0.2
"""Upper bounds of what Kupyn et al. draw for each trajectory."""
_MOST_SHAKE = 0.02
"""Twice the largest share of these that they use, below which trajectories are ways and not points."""


def trajectory(length: float, shake: float, seed: int) -> NDArray[np.complex128]:
    """Where the camera points at 1,001 instants, x + i y in px, centred on its mean; a way of ``length`` px in all.

    ``shake`` from 0 to 1: a straight line at 0; at 1 it trembles about where it started.
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
        velocity *= step / abs(velocity) if velocity else 0
        x += velocity
        positions.append(x)
    found = np.array(positions)
    return found - found.mean()


def kernel_of(positions: NDArray[np.complex128]) -> NDArray[np.float64]:
    """The point spread function of a trajectory, of odd size and sum 1: each instant is shared by four pixels."""
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
    """Blur along a random trajectory, the same for the whole picture."""

    def __init__(self, options: MotionBlurOptions) -> None:
        self.options = options

    def draw(self, rng: torch.Generator, size: tuple[int, int]) -> Recipe:
        """The length of the way, and the seed of its form."""
        options = self.options
        return {"length": uniform(options.length_min, options.length_max, rng), "seed": draw_seed(rng)}

    def apply(self, image_CHW: Tensor, recipe: Recipe) -> Tensor:
        """The blurred picture, (3, H, W) float32 in [0, 1]; borders are mirrored."""
        kernel = kernel_of(trajectory(recipe["length"], self.options.shake, recipe["seed"]))
        return to_values(filtered(to_light(image_CHW), kernel))
