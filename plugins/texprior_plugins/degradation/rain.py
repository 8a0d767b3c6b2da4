"""Rain streaks: sparse noise, blurred by motion along the drops' direction, and added as light.

The additive model O = B + R of Yang et al. (CVPR 2017, "Deep Joint Rain Detection and Removal from a Single
Image"). R is a sum of layers at different distances (as in Garg and Nayar's photorealistic rain): near drops are
few, long, wide and bright; far ones many, short and faint.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import fftconvolve
from torch import Tensor

from texprior_plugins.degradation import RainOptions
from texprior_plugins.degradation._noise import uniform

_JITTER_DEG = 3.0


@dataclass(frozen=True)
class Layer:
    """Drops of one distance: the share of all drops, and factors of length, width and brightness."""

    share: float
    length: float
    width: float
    brightness: float


LAYERS = (Layer(0.15, 1.5, 1.25, 1.0), Layer(0.35, 1.0, 1.0, 0.8), Layer(0.5, 0.6, 0.8, 0.6))
MEAN_DROP = 0.75
"""A drop's own brightness is uniform in [1/2, 1]."""


def streak(length: float, width: float, angle_deg: float) -> NDArray[np.float64]:
    """One streak of peak 1, centred, odd in size. ``length`` and ``width`` are full widths at half maximum, px.

    The angle is counted from the vertical, positive where the drop falls to the right. Across it is a Gaussian,
    along it a box with soft ends: a drop lights every pixel that it crosses in the exposure equally long.
    """
    soft = max(1.0, length / 3)
    half = int(np.ceil(length / 2 + soft + width))
    y, x = np.mgrid[-half : half + 1, -half : half + 1].astype(np.float64)
    angle = np.deg2rad(angle_deg)
    along, across = y * np.cos(angle) + x * np.sin(angle), x * np.cos(angle) - y * np.sin(angle)
    profile = np.exp2(-((2 * across / width) ** 2))
    ends = np.clip((length / 2 - np.abs(along)) / soft + 0.5, 0, 1)
    kernel: NDArray[np.float64] = profile * ends
    return kernel


def layer_kernel(layer: Layer, options: RainOptions, angle_deg: float) -> NDArray[np.float64]:
    """The streak of a layer, its brightness included."""
    return layer.brightness * streak(options.length * layer.length, options.width * layer.width, angle_deg)


class Rain:
    """Adds streaks of one direction (within 3 degrees) to the picture and clips to [0, 1]."""

    def __init__(self, options: RainOptions) -> None:
        self.options = options

    def __call__(self, image_CHW: Tensor, rng: torch.Generator) -> Tensor:
        """The rainy picture, (3, H, W) float32 in [0, 1]; no pixel is darker than before."""
        light = torch.from_numpy(self.light(image_CHW.shape[-2], image_CHW.shape[-1], rng))
        return (image_CHW + light).clamp(0, 1)

    def light(self, height: int, width: int, rng: torch.Generator) -> NDArray[np.float32]:
        """R, the light of all streaks, (H, W), at least 0."""
        options = self.options
        angle = uniform(options.angle_min, options.angle_max, rng)
        total = np.zeros((height, width))
        for layer in LAYERS:
            kernel = layer_kernel(layer, options, angle + uniform(-_JITTER_DEG, _JITTER_DEG, rng))
            half = kernel.shape[0] // 2  # drops outside the picture reach into it
            size = (height + 2 * half, width + 2 * half)
            here = torch.rand(size, generator=rng) < options.density * layer.share
            drops = (here * (0.5 + 0.5 * torch.rand(size, generator=rng))).numpy()
            total += fftconvolve(drops.astype(np.float64), kernel, mode="valid")
        light: NDArray[np.float32] = (options.intensity * total.clip(0)).astype(np.float32)
        return light
