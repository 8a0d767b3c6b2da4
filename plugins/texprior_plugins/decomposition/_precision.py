"""The precision that filters work in."""

from __future__ import annotations

import torch
from torch import Tensor


def working(image: Tensor) -> Tensor:
    """The picture in float64, or in float32 on Apple's devices, which have no float64.

    Variances taken as E[x²] - E[x]² and spectra multiplied by beta = 1e5 lose too many digits in float32.
    """
    return image.to(torch.float32 if image.device.type == "mps" else torch.float64)


def at_least_single(image: Tensor) -> Tensor:
    """The picture as it is in float32 or float64, and a half-precision one in float32.

    For filters that add small corrections to the picture, which float32 holds well.
    """
    return image.to(torch.promote_types(image.dtype, torch.float32))
