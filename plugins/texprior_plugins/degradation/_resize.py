"""Resizes pictures in float with antialiasing, through Pillow.

If a picture shrinks, Pillow widens the kernel by the factor.
"""

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
"""Option value -> Pillow's filter. Bicubic has a = -1/2, Lanczos has three lobes."""


def resized(image_CHW: Tensor, height: int, width: int, kernel: str) -> Tensor:
    """Returns the picture in another size, (3, height, width) float32, unclipped."""
    # Pillow resizes float pictures of one channel only (mode F).
    channels = (Image.fromarray(channel.numpy()).resize((width, height), KERNELS[kernel]) for channel in image_CHW)
    return torch.from_numpy(np.stack([np.asarray(channel) for channel in channels]))
