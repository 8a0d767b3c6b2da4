"""Exact denoisers, and a sampler's linear response to what goes in."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

DATA_STD = 0.5


def gaussian(x: Tensor, sigma: Tensor) -> Tensor:
    """E[x_0 | x] for data N(0, DATA_STD^2)."""
    return DATA_STD**2 / (DATA_STD**2 + sigma**2) * x


def curved(x: Tensor, sigma: Tensor) -> Tensor:
    """E[x_0 | x] for data that are -1 or 1: nonlinear in x and sigma."""
    return torch.tanh(x / sigma**2)


def no_noise(step: int) -> Tensor:
    raise AssertionError(f"noise asked for at step {step}")


@dataclass
class Response:
    """Output = start * x + sum_i noises[i] * n_i, for a linear denoiser."""

    start: float
    noises: list[float]

    def std(self, sigma_max: float) -> float:
        """Of the output, for x at sigma_max with its exact distribution."""
        return float(np.sqrt(self.start**2 * (DATA_STD**2 + sigma_max**2) + np.square(self.noises).sum()))


def respond(sampler: Any, sigmas: Tensor) -> Response:
    """The response of a sampler to unit impulses, one batch entry for each input."""
    steps = len(sigmas) - 1
    x = torch.zeros(steps + 1, 1, 1, 1, dtype=torch.float64)
    x[steps] = 1

    def impulse(step: int) -> Tensor:
        n = torch.zeros_like(x)
        n[step] = 1
        return n

    out = sampler(gaussian, x, sigmas.double(), impulse).flatten().tolist()
    return Response(out[steps], out[:steps])


def order(steps: list[int], errors: list[float]) -> float:
    """The slope of the errors in a log-log plot, positive for errors that fall."""
    return -float(np.polyfit(np.log(steps), np.log(errors), 1)[0])


@dataclass(frozen=True)
class Kit:
    gaussian: Callable[[Tensor, Tensor], Tensor] = gaussian
    curved: Callable[[Tensor, Tensor], Tensor] = curved
    no_noise: Callable[[int], Tensor] = no_noise
    respond: Callable[..., Response] = respond
    order: Callable[[list[int], list[float]], float] = order
    std: float = DATA_STD


@pytest.fixture(scope="session")
def kit() -> Kit:
    return Kit()
