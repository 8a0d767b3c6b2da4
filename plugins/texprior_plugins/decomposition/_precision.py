"""Converts pictures to the precision that the filters compute in."""

from __future__ import annotations

import torch
from torch import Tensor


def working(image: Tensor) -> Tensor:
    """Converts a picture to float64, because filters lose too many digits in float32.

    Examples are variances computed as E[x²] - E[x]², and spectra multiplied by beta = 1e5. Apple's devices (mps) have
    no float64, so a picture there becomes float32.
    """
    return image.to(torch.float32 if image.device.type == "mps" else torch.float64)


def at_least_single(image: Tensor) -> Tensor:
    """Converts a half-precision picture to float32; float32 and float64 stay as they are.

    It is for filters that add small corrections to the picture. For them float32 is precise enough.
    """
    return image.to(torch.promote_types(image.dtype, torch.float32))
