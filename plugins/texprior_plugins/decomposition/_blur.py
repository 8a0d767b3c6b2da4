"""Convolves pictures with a Gaussian, one axis after the other, with mirrored borders."""

from __future__ import annotations

import math

import cv2
import numpy as np
import torch
from torch import Tensor

from texprior_plugins.decomposition._borders import mirrored
from texprior_plugins.decomposition._planes import Plane, by_opencv, opencv_can

TRUNCATE = 4.0
"""Radius of the kernel in standard deviations: as in SciPy, beyond it a weight is below 4e-4 of the centre's."""


def blurred(image: Tensor, sigma: float) -> Tensor:
    """Convolves a picture with a sampled Gaussian along its last two axes.

    The Gaussian has the standard deviation ``sigma``, px.
    """
    taps = gaussian_taps(sigma)
    if not opencv_can(image):
        return _along(_along(image, taps, -2), taps, -1)
    kernel = np.array(taps)

    def both_axes(plane: Plane) -> Plane:
        return cv2.sepFilter2D(plane, -1, kernel, kernel, borderType=cv2.BORDER_REFLECT)

    return by_opencv(both_axes, image)


def gaussian_taps(sigma: float) -> list[float]:
    """Returns the weights of a sampled Gaussian, which sum to 1.

    They are proportional to exp(-k² / 2 sigma²), for |k| <= 4 sigma (rounded).
    """
    radius = int(TRUNCATE * sigma + 0.5)
    taps = [math.exp(-0.5 * (k / sigma) ** 2) for k in range(-radius, radius + 1)]
    return [tap / math.fsum(taps) for tap in taps]


def _along(image: Tensor, taps: list[float], axis: int) -> Tensor:
    """Convolves along one axis."""
    radius, n = len(taps) // 2, image.shape[axis]
    padded = mirrored(image, radius, radius, axis)
    total = torch.zeros_like(image)
    for k, tap in enumerate(taps):
        total.add_(padded.narrow(axis, k, n), alpha=tap)
    return total
