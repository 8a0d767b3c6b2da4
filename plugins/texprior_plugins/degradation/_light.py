"""Between a picture's values and linear light (IEC 61966-2-1, sRGB). What adds up in nature adds up in light."""

from __future__ import annotations

import torch
from torch import Tensor


def to_light(image: Tensor) -> Tensor:
    """sRGB values in [0, 1] as linear light in [0, 1], of the same dtype."""
    return torch.where(image <= 0.04045, image / 12.92, ((image + 0.055) / 1.055).clamp(min=0) ** 2.4)


def to_values(light: Tensor) -> Tensor:
    """Linear light as sRGB values, clipped to [0, 1]; of the same dtype."""
    light = light.clamp(0, 1)
    return torch.where(light <= 0.0031308, 12.92 * light, 1.055 * light.clamp(min=1e-9) ** (1 / 2.4) - 0.055)
