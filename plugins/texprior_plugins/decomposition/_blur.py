"""Convolves pictures with a Gaussian, one axis after the other, with mirrored borders."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from texprior_plugins.decomposition._borders import mirrored

TRUNCATE = 4.0
"""Radius of the kernel in standard deviations: as in SciPy, beyond it a weight is below 4e-4 of the centre's."""


def blurred(image: Tensor, sigma: float) -> Tensor:
    """Convolves a picture with a sampled Gaussian along its last two axes.

    The Gaussian has the standard deviation ``sigma``, px.
    """
    taps = gaussian_taps(sigma)
    return _along(_along(image, taps, -2), taps, -1)


def gaussian_taps(sigma: float) -> list[float]:
    """Returns the weights of a sampled Gaussian, which sum to 1.

    They are proportional to exp(-k² / 2 sigma²), for |k| <= 4 sigma (rounded).
    """
    radius = int(TRUNCATE * sigma + 0.5)
    taps = [math.exp(-0.5 * (k / sigma) ** 2) for k in range(-radius, radius + 1)]
    return [tap / math.fsum(taps) for tap in taps]


def _along(image: Tensor, taps: list[float], axis: int) -> Tensor:
    """Convolves along one axis."""
    # A sum of shifted pictures: on a CPU it is several times as fast as a convolution with one channel.
    radius, n = len(taps) // 2, image.shape[axis]
    padded = mirrored(image, radius, radius, axis)
    total = torch.zeros_like(image)
    for k, tap in enumerate(taps):
        total.add_(padded.narrow(axis, k, n), alpha=tap)
    return total
