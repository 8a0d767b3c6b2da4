"""Exact denoisers, and a sampler's linear response to what goes in."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from texprior.diffusion.sigmas import ddpm_linear_levels, of_time, steps_of, trailing

DATA_STD = 0.5
Denoise = Callable[[Tensor, Tensor], Tensor]


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


def relative_error(sampler: Any, sigmas: Tensor) -> float:
    """Of the output at the last sigma for data N(0, DATA_STD^2), from x at the first, deterministic."""
    exact = np.sqrt((DATA_STD**2 + float(sigmas[-1]) ** 2) / (DATA_STD**2 + float(sigmas[0]) ** 2))
    return float(abs(respond(sampler, sigmas).start / exact - 1))


def ddpm_to_smallest(steps: int) -> Tensor:
    """The DDPM schedule's trailing steps, whose last ends at its smallest level instead of 0."""
    return torch.cat(
        [steps_of(of_time, steps, ddpm_linear_levels(), spacing=trailing)[:-1], ddpm_linear_levels()[:1].float()]
    )


def visited(denoise: Denoise, sampler: Any, x: Tensor, sigmas: Tensor, noise: Any) -> list[Tensor]:
    """The result, then x at every call."""
    states = []

    def spy(x: Tensor, sigma: Tensor) -> Tensor:
        states.append(x)
        return denoise(x, sigma)

    result = sampler(spy, x, sigmas, noise)
    return [result, *states]


def beside_vp(sampler: Any, scheduler: Any, noise: Any, step: Any) -> tuple[Tensor, Tensor]:
    """x at every call and the result, ours (float64) and a variance-preserving scheduler's (float32), both as it scales
    them.

    ``step(clean, t, x, i)`` is the scheduler's; each side goes on from its own x.
    """
    sigmas = scheduler.sigmas.double()
    alphas = 1 / (sigmas**2 + 1).sqrt()
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * sigmas[0]
    result, *states = visited(curved, sampler, x, sigmas, noise)
    ours = [state * alpha for state, alpha in zip([*states, result], alphas, strict=True)]
    vp = (x * alphas[0]).float()
    theirs = [vp]
    for i, t in enumerate(scheduler.timesteps):
        clean = curved(vp.double() / alphas[i], sigmas[i]).float()
        vp = step(clean, t, vp, i)
        theirs.append(vp)
    return torch.stack(ours).float(), torch.stack(theirs)


def deterministic_run(sampler: Any, scheduler: Any, steps: int) -> tuple[Tensor, list[Tensor]]:
    """diffusers' own test: x_0 = i / 768, noise estimate x t / (t + 1); the result as the scheduler scales it, and the
    estimates of the clean x."""
    scheduler.set_timesteps(steps)
    sigmas = scheduler.sigmas.double()
    alphas = 1 / (sigmas**2 + 1).sqrt()
    visits, estimates = iter(scheduler.timesteps.tolist()), []

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        t = next(visits)
        estimates.append(x - sigma * x / (sigma**2 + 1).sqrt() * t / (t + 1))
        return estimates[-1]

    n = 768
    start = (torch.arange(n).reshape(3, 8, 8, 4) / n).permute(3, 0, 1, 2).double()
    return sampler(denoise, start / alphas[0], sigmas, no_noise) * alphas[-1], estimates


def order(steps: list[int], errors: list[float]) -> float:
    """The slope of the errors in a log-log plot, positive for errors that fall."""
    return -float(np.polyfit(np.log(steps), np.log(errors), 1)[0])


@dataclass(frozen=True)
class Kit:
    gaussian: Callable[[Tensor, Tensor], Tensor] = gaussian
    curved: Callable[[Tensor, Tensor], Tensor] = curved
    no_noise: Callable[[int], Tensor] = no_noise
    respond: Callable[..., Response] = respond
    relative_error: Callable[..., float] = relative_error
    ddpm_to_smallest: Callable[[int], Tensor] = ddpm_to_smallest
    visited: Callable[..., list[Tensor]] = visited
    beside_vp: Callable[..., tuple[Tensor, Tensor]] = beside_vp
    deterministic_run: Callable[..., Tensor] = deterministic_run
    order: Callable[[list[int], list[float]], float] = order
    std: float = DATA_STD


@pytest.fixture(scope="session")
def kit() -> Kit:
    return Kit()
