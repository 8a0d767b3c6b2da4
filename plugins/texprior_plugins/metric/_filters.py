"""Applies separable filters to each channel of pictures."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def gaussian_taps(sigma: float, radius: int) -> Tensor:
    """Returns a sampled Gaussian that sums to 1, (2 radius + 1,) float64.

    ``sigma`` is in px.
    """
    offset = torch.arange(-radius, radius + 1, dtype=torch.float64)
    taps = torch.exp(-0.5 * (offset / sigma) ** 2)
    return taps / taps.sum()


def filter_separable(image_BCHW: Tensor, taps: Tensor, stride: int = 1) -> Tensor:
    """Correlates rows and columns with the taps and keeps the valid region.

    Computes in the dtype of the picture.
    """
    channels, length = image_BCHW.shape[1], len(taps)
    kernel = taps.to(image_BCHW).expand(channels, 1, 1, length)
    rows = F.conv2d(image_BCHW, kernel, stride=(1, stride), groups=channels)
    return F.conv2d(rows, kernel.transpose(2, 3), stride=(stride, 1), groups=channels)
