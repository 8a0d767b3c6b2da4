"""The precision that metrics work in."""

from __future__ import annotations

import torch
from torch import Tensor


def working(image: Tensor) -> Tensor:
    """The picture in float64: on its device, or on the CPU where the device has none.

    Variances taken as E[x^2] - E[x]^2 lose too many digits in float32, and a score must not depend on the device.
    """
    return (image.cpu() if lacks_double(image.device) else image).double()


def lacks_double(device: torch.device) -> bool:
    """Whether the device has no float64, as Apple's."""
    return device.type == "mps"
