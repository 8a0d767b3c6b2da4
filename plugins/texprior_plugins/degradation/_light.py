"""Converts between a picture's sRGB values and linear light (IEC 61966-2-1).

Physical effects such as blur, noise and rain add up in linear light, not in sRGB values.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def to_light(image: Tensor) -> Tensor:
    """Converts sRGB values in [0, 1] to linear light in [0, 1].

    The dtype stays the same.
    """
    # torch.where computes both branches: the clamp keeps the base of the power from being negative (NaN).
    return torch.where(image <= 0.04045, image / 12.92, ((image + 0.055) / 1.055).clamp(min=0) ** 2.4)


def to_values(light: Tensor) -> Tensor:
    """Converts linear light to sRGB values, clipped to [0, 1], in the same dtype."""
    light = light.clamp(0, 1)
    # torch.where computes both branches: the power has an infinite slope at 0, which the clamp avoids.
    return torch.where(light <= 0.0031308, 12.92 * light, 1.055 * light.clamp(min=1e-9) ** (1 / 2.4) - 0.055)


def in_light(image: Tensor, work: Callable[[Tensor], Tensor]) -> Tensor:
    """Applies an operation on linear light to sRGB values.

    Such an operation is a blur, for example. The result is clipped to [0, 1].
    """
    return to_values(work(to_light(image)))
