"""Defines denoisers with a known solution.

It also computes the exact response of a sampler to its inputs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, sqrt

import torch
from torch import Tensor

from texprior.flow.sample import LayerSampler

DATA_MEAN, DATA_STD = 0.25, 0.5
"""The Gaussian data. The mean is not 0, so that a sampler that loses it is found."""


def gaussian_denoiser(x: Tensor, sigma: Tensor) -> Tensor:
    """Returns E[x_0 | x] for data N(DATA_MEAN, DATA_STD^2), which is affine in x."""
    return DATA_MEAN + DATA_STD**2 / (DATA_STD**2 + sigma**2) * (x - DATA_MEAN)


def curved(x: Tensor, sigma: Tensor) -> Tensor:
    """Returns tanh(x / sigma^2).

    This is E[x_0 | x] for data that are -1 or 1 with equal probability.
    """
    return torch.tanh(x / sigma**2)


def exact_gain(sigma: float) -> float:
    """Returns (x_0 - mean) / (x_sigma - mean) for Gaussian data.

    x_0 and x_sigma are on the same path of the probability flow (Karras et al. 2022, eq. 1).
    """
    return DATA_STD / sqrt(DATA_STD**2 + sigma**2)


@dataclass(frozen=True)
class Response:
    """The output of a sampler with an affine denoiser.

    It is ``offset + start * x + sum_i noises[i] * n_i``.
    """

    offset: float
    start: float
    noises: tuple[float, ...]

    @property
    def mean(self) -> float:
        """The mean of the output, if the mean of x is that of the data."""
        return self.offset + self.start * DATA_MEAN

    def std(self, sigma: float) -> float:
        """Returns the standard deviation of the output.

        It holds if x follows its distribution at sigma and the noise is normal.
        """
        return sqrt(self.start**2 * (DATA_STD**2 + sigma**2) + sum(gain**2 for gain in self.noises))


def respond(sampler: LayerSampler, sigmas: Tensor) -> Response:
    """Computes the exact response from one run on unit impulses.

    The run is in float64, with one batch entry for each input.
    """
    steps = len(sigmas) - 1
    x = torch.zeros(steps + 2, 1, 1, 1, dtype=torch.float64)
    # entries 0 to steps - 1 get a unit of one step's noise, entry ``steps`` a unit of x, and the last entry nothing
    x[steps] = 1

    def impulse(i: int) -> Tensor:
        noise = torch.zeros_like(x)
        noise[i] = 1
        return noise

    out = [float(v) for v in sampler(gaussian_denoiser, x, sigmas.double(), impulse).flatten()]
    # float64, because the responses are differences of outputs: float32 would hide errors of high orders
    offset = out[steps + 1]
    return Response(offset, out[steps] - offset, tuple(v - offset for v in out[:steps]))


def slope(steps: Sequence[int], errors: Sequence[float]) -> float:
    """Returns the order at which errors fall with the number of steps.

    It is minus the least-squares slope of the logarithms of the errors over those of the steps.
    """
    x, y = [log(n) for n in steps], [log(e) for e in errors]
    mean_x, mean_y = sum(x) / len(x), sum(y) / len(y)
    return -sum((a - mean_x) * (b - mean_y) for a, b in zip(x, y, strict=True)) / sum((a - mean_x) ** 2 for a in x)
