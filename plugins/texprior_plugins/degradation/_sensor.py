"""Noise of an image sensor in linear light: Poisson for the photons, Gaussian for reading them out.

Foi et al. (2008): z = a P(y / a) + N(0, b), so that the variance is a y + b. Levels follow Brooks et al. (2019):
log a uniform, log b normal with mean 2.18 log a + 1.2 and standard deviation 0.26.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from texprior.flow.degrade import Recipe, draw_seed, seeded
from texprior_plugins.degradation._noise import log_uniform, normal

_SLOPE, _OFFSET, _SPREAD = 2.18, 1.2, 0.26


def draw_noise(shot_min: float, shot_max: float, read: float | None, rng: torch.Generator) -> Recipe:
    """``shot`` a, ``read`` b (the given one, or one that goes with a), and the seed of the field."""
    shot = log_uniform(shot_min, shot_max, rng)
    usual = math.exp(_SLOPE * math.log(shot) + _OFFSET + _SPREAD * normal(rng))
    return {"shot": shot, "read": usual if read is None else read, "seed": draw_seed(rng)}


def with_noise(light_CHW: Tensor, noise: Recipe) -> Tensor:
    """Linear light, at least 0, as the sensor reads it: unclipped, float32."""
    rng = seeded(noise["seed"])
    photons = torch.poisson(light_CHW / noise["shot"], generator=rng)
    return photons * noise["shot"] + torch.randn(light_CHW.shape, generator=rng) * math.sqrt(noise["read"])
