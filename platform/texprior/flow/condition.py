"""condition: the picture that is concatenated to x_t, blurred or noised so that less can be read off it.

After the conditioning augmentation of Ho et al. 2022 (Cascaded Diffusion Models, section 4), with one fixed level. The
network is not told the level, so that a picture is restored at the level that its prior was trained at.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def blurred(image_BCHW: Tensor, sigma: float) -> Tensor:
    """A Gaussian blur of standard deviation ``sigma`` px, cut off at 4 sigma; border pixels go on outside.

    (B, C, H, W) of any size; a sigma of 0 leaves the picture as it is.
    """
    radius = int(4 * sigma + 0.5)
    if radius == 0:
        return image_BCHW
    steps = torch.arange(-radius, radius + 1, dtype=image_BCHW.dtype, device=image_BCHW.device)
    weights = torch.softmax(-0.5 * (steps / sigma) ** 2, 0)
    padded = F.pad(image_BCHW, (radius,) * 4, mode="replicate").flatten(0, 1)[:, None]
    rows = F.conv2d(padded, weights.view(1, 1, -1, 1))
    return F.conv2d(rows, weights.view(1, 1, 1, -1)).reshape(image_BCHW.shape)


def noised(image_BCHW: Tensor, std: float, noise_BCHW: Tensor) -> Tensor:
    """The picture with noise of standard deviation ``std``, unclipped."""
    return image_BCHW + std * noise_BCHW
