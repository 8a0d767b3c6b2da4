"""The published chains, written in their own variable x_t and their own units, one step after the other."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from texprior.plugin import Ref
from texprior.registry import Registry

KAPPA, LAMBDA, DELTA = 2.0, 10 / 255, 0.005
TIMES = (0, 3, 7, 11, 14)
"""Five of the times of each chain; the first is its first step."""


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@dataclass
class Chain:
    """Of x_t given x_0 and y, at each time: its mean, its variance, and the posterior's of x_(t-1)."""

    means: list[Tensor]
    variances: list[float]
    posterior: Callable[[int, Tensor], tuple[Tensor, float]]
    """(t, x_t) -> mean and variance of x_(t-1) given x_t and x_0, by the paper's formula."""
    sigmas: list[float]
    """The deviation of x_t over the factor of x_0, by the paper's schedule."""


def ddpm(x_0: Tensor, y: Tensor) -> Chain:
    """SR3 (section 2.1) and DDPM (Ho et al. 2020, eq. 2, 4 and 7), with X = 2 x - 1 and linear betas, 15 steps."""
    betas = np.linspace(0.01, 0.4, 15)
    bars = np.cumprod(1 - betas)
    mean, variance, means, variances = 2 * x_0 - 1, 0.0, [], []
    for beta in betas:
        mean, variance = np.sqrt(1 - beta) * mean, (1 - beta) * variance + beta
        means.append((mean + 1) / 2)
        variances.append(variance / 4)

    def posterior(t: int, x_t: Tensor) -> tuple[Tensor, float]:
        of_0 = np.sqrt(bars[t - 1]) * betas[t] / (1 - bars[t])
        of_t = np.sqrt(1 - betas[t]) * (1 - bars[t - 1]) / (1 - bars[t])
        found = of_0 * (2 * x_0 - 1) + of_t * (2 * x_t - 1)
        return (found + 1) / 2, (1 - bars[t - 1]) / (1 - bars[t]) * betas[t] / 4

    return Chain(means, variances, posterior, list(np.sqrt((1 - bars) / bars) / 2))


def resshift(x_0: Tensor, y: Tensor) -> Chain:
    """ResShift (section 2): x_t = x_(t-1) + alpha_t e_0 + kappa sqrt(alpha_t) n, in [-1, 1]; its geometric schedule."""
    steps, first, last, power = 15, 0.001, 0.999, 0.3
    exponents = (np.arange(steps) / (steps - 1)) ** power * (steps - 1)
    base = np.exp(np.log(last / first) / (2 * (steps - 1)))
    etas = (np.sqrt(first) * base**exponents) ** 2
    shift, clean = 2 * y - 2 * x_0, 2 * x_0 - 1
    mean, variance, means, variances = clean, 0.0, [], []
    for alpha in np.diff(etas, prepend=0):
        mean, variance = mean + alpha * shift, variance + KAPPA**2 * alpha
        means.append((mean + 1) / 2)
        variances.append(variance / 4)

    def posterior(t: int, x_t: Tensor) -> tuple[Tensor, float]:
        alpha = etas[t] - etas[t - 1]
        found = etas[t - 1] / etas[t] * (2 * x_t - 1) + alpha / etas[t] * clean
        return (found + 1) / 2, KAPPA**2 * etas[t - 1] / etas[t] * alpha / 4

    return Chain(means, variances, posterior, list(KAPPA / 2 * np.sqrt(etas) / (1 - etas)))


def irsde(x_0: Tensor, y: Tensor) -> Chain:
    """IR-SDE (propositions 3.1 and 3.2), whose drift rises linearly so that exp(-sum) ends at DELTA."""
    thetas = np.linspace(1, 5, 15)
    thetas *= -np.log(DELTA) / thetas.sum()
    total = np.cumsum(thetas)
    mean, variance, means, variances = x_0, 0.0, [], []
    for theta in thetas:
        decay = np.exp(-theta)
        mean, variance = y + decay * (mean - y), decay**2 * variance + LAMBDA**2 * (1 - decay**2)
        means.append(mean)
        variances.append(variance)

    def posterior(t: int, x_t: Tensor) -> tuple[Tensor, float]:
        before, now = 1 - np.exp(-2 * total[t - 1]), 1 - np.exp(-2 * total[t])
        step = 1 - np.exp(-2 * thetas[t])
        of_t, of_0 = before / now * np.exp(-thetas[t]), step / now * np.exp(-total[t - 1])
        return of_t * (x_t - y) + of_0 * (x_0 - y) + y, LAMBDA**2 * before * step / now

    return Chain(means, variances, posterior, list(LAMBDA * np.sqrt(np.exp(2 * total) - 1)))


def exploding(x_0: Tensor, y: Tensor) -> Chain:
    """Noise alone: x_t = x_(t-1) + sqrt(s_t^2 - s_(t-1)^2) n; the posterior is that of two Gaussians of one mean."""
    levels = np.geomspace(0.001, 2, 15)
    variances = list(np.cumsum(np.diff(levels**2, prepend=0)))

    def posterior(t: int, x_t: Tensor) -> tuple[Tensor, float]:
        earlier, added = levels[t - 1] ** 2, levels[t] ** 2 - levels[t - 1] ** 2
        precision = 1 / earlier + 1 / added
        return (x_0 / earlier + x_t / added) / precision, 1 / precision

    return Chain([x_0] * 15, variances, posterior, list(levels))


CHAINS: dict[str, Callable[[Tensor, Tensor], Chain]] = {
    "texture": exploding,
    "picture": ddpm,
    "residual-shift": resshift,
    "mean-reverting": irsde,
}


def x_t_of(name: str, given: Tensor, sigma: float, y: Tensor) -> Tensor:
    """x_t of what the network is given, in units of the picture, by each paper's own variable."""
    if name == "picture":
        return (given + 1) / 2
    if name == "mean-reverting":
        return y + LAMBDA * given
    # eta by the quadratic's coefficients: k^2 eta = sigma^2 (1 - eta)^2
    q = (sigma / (KAPPA / 2)) ** 2
    eta = min(np.roots([q, -(2 * q + 1), q]).real)
    return (given * np.sqrt(1 + KAPPA**2 * eta) + 1) / 2


@dataclass(frozen=True)
class Kit:
    registry: Registry
    chains: Any = field(default_factory=lambda: CHAINS)
    times: tuple[int, ...] = TIMES
    random: Callable[..., Tensor] = random
    x_t_of: Callable[..., Tensor] = x_t_of

    def build(self, name: str, **options: Any) -> Any:
        return self.registry.build("process", Ref(name=name, options=options))

    def sampler(self, name: str, process: Any, scale: float) -> Any:
        record = self.registry.find("sampler", name).component
        context = {"process": process, "scale": scale} if record.posterior else {}
        return self.registry.build("sampler", Ref(name=name), **context)


@pytest.fixture(scope="session")
def kit() -> Kit:
    return Kit(Registry.discover())
