"""Blurs the condition or adds noise to it.

The condition is the picture that is concatenated to x_t. After the change, the denoiser can read less from it. This
follows the conditioning augmentation of Ho et al. 2022 (Cascaded Diffusion Models, section 4), but with one fixed
level. The level is no input of the network, so a picture must be restored at the level that its prior was trained with.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def blurred(image_BCHW: Tensor, sigma: float) -> Tensor:
    """Blurs pictures with a Gaussian of standard deviation ``sigma`` px.

    The pictures are (B, C, H, W), of any size. The Gaussian is cut off at 4 sigma, and border pixels are repeated
    outside. A sigma of 0 returns the picture itself.
    """
    # the same cut-off as in scipy's gaussian_filter, so that the two agree
    radius = int(4 * sigma + 0.5)
    if radius == 0:
        return image_BCHW
    steps = torch.arange(-radius, radius + 1, dtype=image_BCHW.dtype, device=image_BCHW.device)
    # softmax makes the weights sum to 1, so that the blur keeps the brightness
    weights = torch.softmax(-0.5 * (steps / sigma) ** 2, 0)
    padded = F.pad(image_BCHW, (radius,) * 4, mode="replicate").flatten(0, 1)[:, None]
    rows = F.conv2d(padded, weights.view(1, 1, -1, 1))
    return F.conv2d(rows, weights.view(1, 1, 1, -1)).reshape(image_BCHW.shape)


def noised(image_BCHW: Tensor, std: float, noise_BCHW: Tensor) -> Tensor:
    """Returns the picture plus noise of standard deviation ``std``, unclipped."""
    return image_BCHW + std * noise_BCHW
