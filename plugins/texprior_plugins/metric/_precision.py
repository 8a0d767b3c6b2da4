"""Chooses the precision of the metrics."""

from __future__ import annotations

import torch
from torch import Tensor


def working(image: Tensor) -> Tensor:
    """Converts the picture to float64.

    It stays on its device, or moves to the CPU if the device has no float64.
    Variances computed as E[x^2] - E[x]^2 lose too many digits in float32, and a score must not depend on the device.
    """
    return (image.cpu() if lacks_double(image.device) else image).double()


def lacks_double(device: torch.device) -> bool:
    """Returns whether the device has no float64, as Apple's devices."""
    return device.type == "mps"
