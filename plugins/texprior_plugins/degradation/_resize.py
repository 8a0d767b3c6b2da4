"""Resizing with antialiasing in float, through Pillow: the kernel is widened by the factor where a picture shrinks."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor

KERNELS = {
    "nearest": Image.Resampling.NEAREST,
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
"""Bicubic has a = -1/2, Lanczos three lobes."""


def resized(image_CHW: Tensor, height: int, width: int, kernel: str) -> Tensor:
    """The picture in another size, float32, unclipped."""
    channels = (Image.fromarray(channel.numpy()).resize((width, height), KERNELS[kernel]) for channel in image_CHW)
    return torch.from_numpy(np.stack([np.asarray(channel) for channel in channels]))
