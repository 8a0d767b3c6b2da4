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
    radius, (height, width) = radius_of(sigma_space), image.shape[-2:]
    images, guides = (mirrored(mirrored(x, radius, radius, -2), radius, radius, -1) for x in (image, guide))
    guides = guides * (math.sqrt(0.5) / sigma_range)

    # The sum is over weighted differences from the centre, so that a constant picture stays the same to the bit.
    total = torch.zeros_like(image)
    weights = torch.ones_like(image[:, :1])
    for dy, dx in half_of_disc(radius):
        # All pairs p, p + (dy, dx) of which one is inside: p gives its pair the weight that the pair gives p.
        rows, left = slice(radius - dy, radius + height), max(dx, 0)
        columns = slice(radius - left, radius + width + max(-dx, 0))
        weight = _squared_norm(_steps(guides, rows, columns, dy, dx))
        weight = weight.add_((dy * dy + dx * dx) / (2 * sigma_space**2)).neg_().exp_()
        weighted = _steps(images, rows, columns, dy, dx).mul_(weight)
        as_first = (..., slice(dy, dy + height), slice(left, left + width))
        as_second = (..., slice(0, height), slice(left - dx, left - dx + width))
        total.add_(weighted[as_first]).sub_(weighted[as_second])
        weights.add_(weight[as_first]).add_(weight[as_second])
    return image + total / weights


def half_of_disc(radius: int) -> list[tuple[int, int]]:
    """Returns one of the offsets (dy, dx) and (-dy, -dx), for all in a disc but its centre; dy is not negative."""
    side = range(-radius, radius + 1)
    return [(y, x) for y in side[radius:] for x in side if (y, x) > (0, 0) and x * x + y * y <= radius * radius]


def _steps(image: Tensor, rows: slice, columns: slice, dy: int, dx: int) -> Tensor:
    """Returns the pixels at an offset (dy, dx) minus those of a window."""
    there = image[..., rows.start + dy : rows.stop + dy, columns.start + dx : columns.stop + dx]
    return there - image[..., rows, columns]


def _squared_norm(image: Tensor) -> Tensor:
    """Returns the sum of the squares of all channels, (B, 1, H, W)."""
    first, *others = image.split(1, dim=1)
    total = first.square()
    for channel in others:
        total.addcmul_(channel, channel)
    return total
