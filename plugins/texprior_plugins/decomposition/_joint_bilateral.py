"""Applies the joint bilateral filter, which the bilateral filter and rolling guidance share."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from texprior_plugins.decomposition._borders import mirrored


def radius_of(sigma_space: float) -> int:
    """Returns the radius of the window, px."""
    # Beyond 3 sigma_space a weight is below 0.012 of the centre's, and a larger disc costs time quadratically.
    return math.ceil(3 * sigma_space)


def joint_bilateral(image: Tensor, guide: Tensor, sigma_space: float, sigma_range: float) -> Tensor:
    """Returns weighted means of the picture, (B, C, H, W).

    The weights are exp(-|p - q|² / 2 sigma_space² - ‖guide(p) - guide(q)‖² / 2 sigma_range²). The window is the disc
    of radius 3 sigma_space, rounded up, with mirrored borders. The distance of two values is Euclidean over all
    channels (Tomasi and Manduchi 1998, equations 5 and 6).
    """
    radius = radius_of(sigma_space)
    side = range(-radius, radius + 1)
    window = [(y, x) for y in side for x in side if x * x + y * y <= radius * radius]
    height, width = image.shape[-2:]
    images, guides = (mirrored(mirrored(x, radius, radius, -2), radius, radius, -1) for x in (image, guide))

    # The sum is over weighted differences from the centre, so that a constant picture stays the same to the bit.
    total = torch.zeros_like(image)
    weights = torch.zeros_like(image[:, :1])
    for dy, dx in window:
        rows, columns = slice(radius + dy, radius + dy + height), slice(radius + dx, radius + dx + width)
        distance = (guides[..., rows, columns] - guide).square_().sum(1, keepdim=True).mul_(-0.5 / sigma_range**2)
        weight = distance.sub_((dy * dy + dx * dx) / (2 * sigma_space**2)).exp_()
        total.addcmul_(weight, images[..., rows, columns] - image)
        weights.add_(weight)
    return image + total / weights
