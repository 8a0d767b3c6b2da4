"""Draws and adds the noise of an image sensor in linear light.

The photons have Poisson noise, the readout has Gaussian noise. Foi et al. (2008): z = a P(y / a) + N(0, b), so that
the variance is a y + b. The levels follow Brooks et al. (2019): log a is uniform, log b is normal with mean
2.18 log a + 1.2 and standard deviation 0.26.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from texprior.flow.degrade import Recipe, draw_seed, seeded
from texprior_plugins.degradation._noise import log_uniform, normal

# Brooks et al.'s fit of readout noise against shot noise over real cameras, in logarithms (see above).
_SLOPE, _OFFSET, _SPREAD = 2.18, 1.2, 0.26


def draw_noise(shot_min: float, shot_max: float, read: float | None, rng: torch.Generator) -> Recipe:
    """Draws the noise levels and the seed of the noise field.

    In the recipe, ``shot`` is a, ``read`` is b, and ``seed`` is that of the noise field. If ``read`` is None, b is
    drawn to fit a.
    """
    shot = log_uniform(shot_min, shot_max, rng)
    # Drawn even if it is not used, so that a fixed ``read`` does not change the numbers drawn later.
    usual = math.exp(_SLOPE * math.log(shot) + _OFFSET + _SPREAD * normal(rng))
    return {"shot": shot, "read": usual if read is None else read, "seed": draw_seed(rng)}


def with_noise(light_CHW: Tensor, noise: Recipe) -> Tensor:
    """Returns linear light (at least 0) with sensor noise, unclipped, float32."""
    rng = seeded(noise["seed"])
    photons = torch.poisson(light_CHW / noise["shot"], generator=rng)
    return photons * noise["shot"] + torch.randn(light_CHW.shape, generator=rng) * math.sqrt(noise["read"])
