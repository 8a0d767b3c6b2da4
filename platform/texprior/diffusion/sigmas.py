"""Noise levels: which sigmas a sampler visits, and which ones training draws.

A schedule is a decreasing function sigma(u) from ``sigma_max`` at u = 0 to ``sigma_min`` at u = 1; a spacing says which
u the steps visit before the final 0.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import torch
from torch import Tensor

TRAIN_STEPS = 1000
"""Noise levels of the two DDPM schedules."""
Spacing = Callable[[int], Tensor]
"""Number of steps -> u of each, (steps,) from 0 up, float64."""


def linspace(steps: int) -> Tensor:
    """u_i = i / (steps - 1): the last step starts at sigma_min. One step is u = 0."""
    return torch.linspace(0, 1, steps, dtype=torch.float64)


def trailing(steps: int) -> Tensor:
    """u_i = i / steps (Lin et al. 2023, arXiv 2305.08891, table 2): the last step starts one step above sigma_min."""
    return torch.arange(steps, dtype=torch.float64) / steps


def karras(steps: int, sigma_min: float, sigma_max: float, rho: float = 7.0, *, spacing: Spacing = linspace) -> Tensor:
    """Sigma to the power 1 / rho is linear in u (Karras et al. 2022, eq. 5). Decreasing, with a final 0."""
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    return _with_zero((high + spacing(steps) * (low - high)) ** rho)


def exponential(steps: int, sigma_min: float, sigma_max: float, *, spacing: Spacing = linspace) -> Tensor:
    """ln sigma is linear in u: every step divides sigma by the same number (Karras's with rho to infinity)."""
    return _with_zero(torch.exp(math.log(sigma_max) + spacing(steps) * math.log(sigma_min / sigma_max)))


def training_quantiles(
    steps: int, sigma_min: float, sigma_max: float, mean: float, std: float, *, spacing: Spacing = trailing
) -> Tensor:
    """u is linear in the share of training noise above sigma, for ln sigma ~ N(mean, std^2).

    Trailing steps then each span an equal share of what training drew between sigma_min and sigma_max.
    """
    ends = torch.tensor([sigma_max, sigma_min], dtype=torch.float64)
    scale = -std if math.log(sigma_max) < mean else std  # the tail that holds the range is the one with digits
    shares = torch.special.erfc((ends.log() - mean) / (scale * math.sqrt(2))) / 2
    sigmas = torch.exp(mean - scale * torch.special.ndtri(torch.lerp(shares[0], shares[1], spacing(steps))))
    return _with_zero(sigmas.clamp(sigma_min, sigma_max))


def ddpm_linear(
    steps: int, sigma_min: float = 0.0, sigma_max: float = math.inf, *, spacing: Spacing = trailing
) -> Tensor:
    """The variance-preserving schedule with linear betas (Ho et al. 2020), from its level sigma_max to its level
    sigma_min; a time between two of the 1000 steps is interpolated.

    Its largest level is 157.4. Without bounds, trailing steps whose number divides 1000 visit the published levels.
    """
    return _of_time(spacing(steps), ddpm_linear_levels(), sigma_min, sigma_max)


def cosine(steps: int, sigma_min: float = 0.0, sigma_max: float = math.inf, *, spacing: Spacing = trailing) -> Tensor:
    """The cosine schedule (Nichol & Dhariwal 2021, eq. 17), bounded like ``ddpm_linear``; it ends at 20291."""
    return _of_time(spacing(steps), cosine_levels(), sigma_min, sigma_max)


@functools.cache
def ddpm_linear_levels(beta_min: float = 1e-4, beta_max: float = 0.02) -> Tensor:
    """sqrt((1 - abar_t) / abar_t) of the 1000 time steps, increasing, float64."""
    return _levels_of(torch.linspace(beta_min, beta_max, TRAIN_STEPS, dtype=torch.float64))


@functools.cache
def cosine_levels(offset: float = 0.008, beta_max: float = 0.999) -> Tensor:
    """The same for the cosine schedule, whose betas are at most ``beta_max``."""
    t = torch.arange(TRAIN_STEPS + 1, dtype=torch.float64) / TRAIN_STEPS
    alphas_bar = torch.cos((t + offset) / (1 + offset) * math.pi / 2) ** 2
    return _levels_of((1 - alphas_bar[1:] / alphas_bar[:-1]).clamp(max=beta_max))


def log_normal(standard_normal: Tensor, mean: float, std: float) -> Tensor:
    """Training noise levels from standard normal numbers: ln sigma ~ N(mean, std^2) (Karras et al. 2022, table 1)."""
    return (standard_normal * std + mean).exp()


def _with_zero(sigmas: Tensor) -> Tensor:
    """Sigmas and the final 0, float32."""
    return torch.cat([sigmas, sigmas.new_zeros(1)]).float()


def _levels_of(betas: Tensor) -> Tensor:
    alphas_bar = torch.cumprod(1 - betas, 0)
    return ((1 - alphas_bar) / alphas_bar).sqrt()


def _of_time(u: Tensor, levels: Tensor, sigma_min: float, sigma_max: float) -> Tensor:
    """Levels at equally spaced times. Time 0 is sigma 0, time n the n-th level; the bounds are turned into times."""
    knots = torch.cat([levels.new_zeros(1), levels])
    times = torch.arange(len(knots), dtype=torch.float64)
    ends = _interpolated(torch.tensor([sigma_max, sigma_min], dtype=torch.float64), knots, times)
    return _with_zero(_interpolated(torch.lerp(ends[0], ends[1], u), times, knots))


def _interpolated(x: Tensor, knots: Tensor, values: Tensor) -> Tensor:
    """Linear between knots, constant beyond them."""
    i = torch.searchsorted(knots, x).clamp(1, len(knots) - 1)
    share = (x - knots[i - 1]) / (knots[i] - knots[i - 1])
    return torch.lerp(values[i - 1], values[i], share.clamp(0, 1))
