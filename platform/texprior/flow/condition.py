"""Blurs the condition or adds noise to it.

The condition is the picture that is concatenated to x_t. After the change, the denoiser can read less from it. The
noise has one fixed level that the network is not told, so that a picture must be restored at the level that its prior
was trained with; or, as in the conditioning augmentation of Ho et al. 2022 (Cascaded Diffusion Models, section 4), a
level that training draws and sampling chooses. The network is then told the level by a fourth channel.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from texprior.flow.precision import full_float32


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
    with full_float32():
        rows = F.conv2d(padded, weights.view(1, 1, -1, 1))
        return F.conv2d(rows, weights.view(1, 1, 1, -1)).reshape(image_BCHW.shape)


def noised(image_BCHW: Tensor, std: float, noise_BCHW: Tensor) -> Tensor:
    """Returns the picture plus noise of standard deviation ``std``, unclipped."""
    return image_BCHW + std * noise_BCHW


def with_level(image_BCHW: Tensor, level_B: Tensor) -> Tensor:
    """Appends the noise level of each condition as a channel that is the same everywhere, (B, C + 1, H, W)."""
    level = level_B.to(image_BCHW).view(-1, 1, 1, 1).expand(-1, 1, *image_BCHW.shape[-2:])
    return torch.cat([image_BCHW, level], 1)


def split_level(condition_BCHW: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the picture of a condition, (B, 3, H, W), and its noise level, (B,); 0 if the condition has none."""
    picture, level = condition_BCHW[:, :3], condition_BCHW[:, 3:, 0, 0]
    return picture, level.flatten() if level.shape[1] else condition_BCHW.new_zeros(len(condition_BCHW))
