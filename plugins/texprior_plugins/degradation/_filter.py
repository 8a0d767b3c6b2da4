"""Convolves pictures with mirrored borders, in float64 on one thread.

The result is the same to the bit in any worker process.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import fftconvolve
from torch import Tensor


def filtered(image_CHW: Tensor, kernel: NDArray[np.float64]) -> Tensor:
    """Returns each channel convolved with a kernel of odd size, float32, unclipped."""
    half = len(kernel) // 2
    padded = np.pad(image_CHW.double().numpy(), ((0, 0), (half, half), (half, half)), mode="symmetric")
    return torch.from_numpy(fftconvolve(padded, kernel[None], mode="valid", axes=(1, 2)).astype(np.float32))
