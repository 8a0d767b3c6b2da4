"""Computes noise levels: the sigmas that a sampler visits, and those that training draws.

A schedule is a decreasing function sigma(u) from ``sigma_max`` at u = 0 to ``sigma_min`` at u = 1. A spacing chooses
the values of u that the steps visit before the final 0.
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


def karras(steps: int, sigma_min: float, sigma_max: float, rho: float = 7.0, *, spacing: Spacing = linspace) -> Tensor:
    """Returns decreasing sigmas with a final 0; sigma^(1 / rho) is linear in u.

    See Karras et al. 2022, eq. 5.
    """
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    return _with_zero((high + spacing(steps) * (low - high)) ** rho)


def exponential(steps: int, sigma_min: float, sigma_max: float, *, spacing: Spacing = linspace) -> Tensor:
    """Returns decreasing sigmas with a final 0; ln sigma is linear in u.

    Every step divides sigma by the same number. This is the limit of ``karras`` for rho to infinity.
    """
    return _with_zero(torch.exp(math.log(sigma_max) + spacing(steps) * math.log(sigma_min / sigma_max)))


def training_quantiles(
    steps: int, sigma_min: float, sigma_max: float, mean: float, std: float, *, spacing: Spacing = trailing
) -> Tensor:
    """Returns decreasing sigmas that follow the distribution of training noise, with a final 0.

    Training draws ln sigma ~ N(mean, std^2), and u is linear in the share of training noise above sigma. Each trailing
    step then spans an equal share of the training noise between sigma_min and sigma_max.
    """
    ends = torch.tensor([sigma_max, sigma_min], dtype=torch.float64)
    # Compute shares of the tail that contains the range: a small share keeps its digits, but 1 minus a small share
    # loses them. A negative scale mirrors the distribution to its lower tail.
    scale = -std if math.log(sigma_max) < mean else std
    shares = torch.special.erfc((ends.log() - mean) / (scale * math.sqrt(2))) / 2
    sigmas = torch.exp(mean - scale * torch.special.ndtri(torch.lerp(shares[0], shares[1], spacing(steps))))
    # rounding in erfc and ndtri may leave the range by a few last digits
    return _with_zero(sigmas.clamp(sigma_min, sigma_max))


def ddpm_linear(
    steps: int, sigma_min: float = 0.0, sigma_max: float = math.inf, *, spacing: Spacing = trailing
) -> Tensor:
    """Returns the variance-preserving schedule with linear betas (Ho et al. 2020), with a final 0.

    It goes from the schedule's level sigma_max to its level sigma_min. Levels between two of the 1000 time steps are
    interpolated. The largest level is 157.4. Without bounds, trailing steps whose number divides 1000 visit the
    published levels.
    """
    return _of_time(spacing(steps), ddpm_linear_levels(), sigma_min, sigma_max)


def cosine(steps: int, sigma_min: float = 0.0, sigma_max: float = math.inf, *, spacing: Spacing = trailing) -> Tensor:
    """Returns the cosine schedule (Nichol & Dhariwal 2021, eq. 17), with a final 0.

    The bounds work as in ``ddpm_linear``. The largest level is 20291.
    """
    return _of_time(spacing(steps), cosine_levels(), sigma_min, sigma_max)


@functools.cache
def ddpm_linear_levels(beta_min: float = 1e-4, beta_max: float = 0.02) -> Tensor:
    """Returns sqrt((1 - abar_t) / abar_t) of the 1000 time steps, increasing, float64."""
    return _levels_of(torch.linspace(beta_min, beta_max, TRAIN_STEPS, dtype=torch.float64))


@functools.cache
def cosine_levels(offset: float = 0.008, beta_max: float = 0.999) -> Tensor:
    """Returns the same for the cosine schedule, whose betas are at most ``beta_max``."""
    t = torch.arange(TRAIN_STEPS + 1, dtype=torch.float64) / TRAIN_STEPS
    alphas_bar = torch.cos((t + offset) / (1 + offset) * math.pi / 2) ** 2
    return _levels_of((1 - alphas_bar[1:] / alphas_bar[:-1]).clamp(max=beta_max))


def log_normal(standard_normal: Tensor, mean: float, std: float) -> Tensor:
    """Returns training noise levels from standard normal numbers: ln sigma ~ N(mean, std^2).

    See Karras et al. 2022, table 1.
    """
    return (standard_normal * std + mean).exp()


def _with_zero(sigmas: Tensor) -> Tensor:
    """Returns the sigmas and the final 0, float32."""
    return torch.cat([sigmas, sigmas.new_zeros(1)]).float()


def _levels_of(betas: Tensor) -> Tensor:
    # betas are float64: the first products are close to 1, and float32 would lose most digits of 1 - abar
    alphas_bar = torch.cumprod(1 - betas, 0)
    return ((1 - alphas_bar) / alphas_bar).sqrt()


def _of_time(u: Tensor, levels: Tensor, sigma_min: float, sigma_max: float) -> Tensor:
    """Returns the levels at times that are linear in u, with a final 0.

    Time 0 is sigma 0, and time n is the n-th level. The bounds are converted to times first.
    """
    knots = torch.cat([levels.new_zeros(1), levels])
    times = torch.arange(len(knots), dtype=torch.float64)
    ends = _interpolated(torch.tensor([sigma_max, sigma_min], dtype=torch.float64), knots, times)
    return _with_zero(_interpolated(torch.lerp(ends[0], ends[1], u), times, knots))


def _interpolated(x: Tensor, knots: Tensor, values: Tensor) -> Tensor:
    """Interpolates linearly between knots; constant outside them."""
    i = torch.searchsorted(knots, x).clamp(1, len(knots) - 1)
    share = (x - knots[i - 1]) / (knots[i] - knots[i - 1])
    return torch.lerp(values[i - 1], values[i], share.clamp(0, 1))
