"""Computes noise levels: the sigmas that a sampler visits, and those that training draws.

A schedule is a decreasing function sigma(u) from ``sigma_max`` at u = 0 to ``sigma_min`` at u = 1. A spacing chooses
the values of u that the steps visit. The schedules among the plugins use these functions.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import torch
from torch import Tensor

TRAIN_STEPS = 1000
"""Number of noise levels of the two DDPM schedules: 1000, as in Ho et al. 2020."""
Spacing = Callable[[int], Tensor]
"""Number of steps -> u of each step, (steps,), increasing from 0, float64."""


def linspace(steps: int) -> Tensor:
    """Returns u_i = i / (steps - 1): the last step starts at sigma_min.

    A single step has u = 0.
    """
    return torch.linspace(0, 1, steps, dtype=torch.float64)


def trailing(steps: int) -> Tensor:
    """Returns u_i = i / steps: the last step starts one step above sigma_min.

    See Lin et al. 2023, arXiv 2305.08891, table 2.
    """
    return torch.arange(steps, dtype=torch.float64) / steps


def steps_of(formula: Callable[..., Tensor], steps: int, *settings: object, spacing: Spacing = linspace) -> Tensor:
    """Returns the levels that a number of steps visits, decreasing to a final 0, (steps + 1,), float32.

    ``formula`` is one of the functions below, and ``settings`` are its arguments after u.
    """
    levels = formula(spacing(steps), *settings)
    return torch.cat([levels, levels.new_zeros(1)]).float()


def karras(u: Tensor, sigma_min: float, sigma_max: float, rho: float = 7.0) -> Tensor:
    """Returns decreasing sigmas; sigma^(1 / rho) is linear in u.

    See Karras et al. 2022, eq. 5.
    """
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    levels: Tensor = (high + u * (low - high)) ** rho
    return levels


def exponential(u: Tensor, sigma_min: float, sigma_max: float) -> Tensor:
    """Returns decreasing sigmas; ln sigma is linear in u.

    Every step divides sigma by the same number. This is the limit of ``karras`` for rho to infinity.
    """
    return torch.exp(math.log(sigma_max) + u * math.log(sigma_min / sigma_max))


def of_time(u: Tensor, levels: Tensor, sigma_min: float = 0.0, sigma_max: float = math.inf) -> Tensor:
    """Returns decreasing sigmas of a published list of levels; u is linear in its time steps.

    Time 0 is sigma 0, and time n is the n-th level; levels between two of them are interpolated. The bounds are
    converted to times first. Without bounds, trailing steps whose number divides that of the levels visit published
    levels.
    """
    knots = torch.cat([levels.new_zeros(1), levels])
    times = torch.arange(len(knots), dtype=torch.float64)
    ends = _interpolated(torch.tensor([sigma_max, sigma_min], dtype=torch.float64), knots, times)
    return _interpolated(torch.lerp(ends[0], ends[1], u), times, knots)


@functools.cache
def ddpm_linear_levels(beta_min: float = 1e-4, beta_max: float = 0.02) -> Tensor:
    """Returns sqrt((1 - abar_t) / abar_t) of the 1000 time steps with linear betas, increasing, float64.

    See Ho et al. 2020. The largest level is 157.4.
    """
    return _levels_of(torch.linspace(beta_min, beta_max, TRAIN_STEPS, dtype=torch.float64))


@functools.cache
def cosine_levels(offset: float = 0.008, beta_max: float = 0.999) -> Tensor:
    """Returns the same for the cosine schedule (Nichol & Dhariwal 2021, eq. 17), whose betas are at most ``beta_max``.

    The largest level is 20291.
    """
    t = torch.arange(TRAIN_STEPS + 1, dtype=torch.float64) / TRAIN_STEPS
    alphas_bar = torch.cos((t + offset) / (1 + offset) * math.pi / 2) ** 2
    return _levels_of((1 - alphas_bar[1:] / alphas_bar[:-1]).clamp(max=beta_max))


def log_normal(standard_normal: Tensor, mean: float, std: float) -> Tensor:
    """Returns training noise levels from standard normal numbers: ln sigma ~ N(mean, std^2).

    See Karras et al. 2022, table 1.
    """
    return (standard_normal * std + mean).exp()


def _levels_of(betas: Tensor) -> Tensor:
    # betas are float64: the first products are close to 1, and float32 would lose most digits of 1 - abar
    alphas_bar = torch.cumprod(1 - betas, 0)
    return ((1 - alphas_bar) / alphas_bar).sqrt()


def _interpolated(x: Tensor, knots: Tensor, values: Tensor) -> Tensor:
    """Interpolates linearly between knots; constant outside them."""
    i = torch.searchsorted(knots, x).clamp(1, len(knots) - 1)
    share = (x - knots[i - 1]) / (knots[i] - knots[i - 1])
    return torch.lerp(values[i - 1], values[i], share.clamp(0, 1))
