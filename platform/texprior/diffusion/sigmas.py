"""Noise levels: which sigmas a sampler visits, and which ones training draws."""

from __future__ import annotations

import torch
from torch import Tensor


def karras(steps: int, sigma_min: float, sigma_max: float, rho: float = 7.0) -> Tensor:
    """``steps`` decreasing sigmas and a final 0 (Karras et al. 2022, eq. 5). One step is sigma_max alone."""
    ramp = torch.linspace(0, 1, steps, dtype=torch.float64)
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    return _with_zero((high + ramp * (low - high)) ** rho)


def ddpm_linear(steps: int, beta_min: float = 1e-4, beta_max: float = 0.02, train_steps: int = 1000) -> Tensor:
    """The variance-preserving linear schedule (Ho et al. 2020) as sigmas, sqrt((1 - abar) / abar).

    Time steps are trailing (Lin et al. 2023, table 2): the last training step is always visited.
    """
    betas = torch.linspace(beta_min, beta_max, train_steps, dtype=torch.float64)
    alphas_bar = torch.cumprod(1 - betas, 0)
    trailing = torch.round(torch.arange(train_steps, 0, -train_steps / steps, dtype=torch.float64)[:steps]).long() - 1
    return _with_zero(((1 - alphas_bar) / alphas_bar).sqrt()[trailing])


def log_normal(standard_normal: Tensor, mean: float, std: float) -> Tensor:
    """Training noise levels from standard normal numbers: ln sigma ~ N(mean, std^2) (Karras et al. 2022, table 1)."""
    return (standard_normal * std + mean).exp()


def _with_zero(sigmas: Tensor) -> Tensor:
    return torch.cat([sigmas, sigmas.new_zeros(1)]).float()
