"""Smooths with the guided filter, with the picture as its own guide.

See He, Sun, Tang, ECCV 2010, algorithm 1.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from texprior.flow.decompose import StructureFilter
from texprior_plugins.decomposition import GuidedOptions
from texprior_plugins.decomposition._planes import channel_by_channel
from texprior_plugins.decomposition._precision import working


def box_mean(image_BCHW: Tensor, radius: int) -> Tensor:
    """Returns means over windows of (2 radius + 1)² px.

    Each mean counts only the pixels inside the picture.
    """
    height, width = (_counts(n, radius, image_BCHW) for n in image_BCHW.shape[-2:])
    sums = _window_sums(_window_sums(image_BCHW, radius, -2), radius, -1)
    return sums.div_(height[:, None] * width)


def _window_sums(image: Tensor, radius: int, axis: int) -> Tensor:
    """Returns sums over 2 radius + 1 px along an axis, with zeros outside the picture."""
    # Windows of 1, 2, 4, ... px are each the sum of two smaller ones, and 2 radius + 1 is a sum of such sizes: some
    # log2(radius) additions per pixel, and no rounding errors that add up along the line, as in a cumulative sum.
    n, rest, size, at = image.shape[axis], 2 * radius + 1, 1, 0
    part = functional.pad(image, (radius, radius) if axis == -1 else (0, 0, radius, radius))
    total = torch.zeros_like(image)
    while rest:
        if rest & 1:
            total += part.narrow(axis, at, n)
            at += size
        rest >>= 1
        if rest:
            kept = part.shape[axis] - size
            part = part.narrow(axis, 0, kept) + part.narrow(axis, size, kept)
            size *= 2
    return total


def _counts(n: int, radius: int, like: Tensor) -> Tensor:
    """Returns how many pixels of a line of n px are in the window of each pixel."""
    place = torch.arange(n, device=like.device)
    return ((place + radius).clamp_max(n - 1) - (place - radius).clamp_min(0) + 1).to(like.dtype)


class Guided(StructureFilter):
    """S = mean(a) I + mean(b), with coefficients a and b of each window.

    In a window, a = var / (var + eps) and b = (1 - a) mean. Every channel guides itself, so any number of channels is
    possible. The paper's colour guide, which couples the three channels, is a different filter.
    """

    def __init__(self, options: GuidedOptions) -> None:
        self.options = options
        # a mean of coefficients, each of which is of a mean
        self.reach = 2 * options.radius

    def structure(self, image_BCHW: Tensor) -> Tensor:
        """Returns the smoothed picture, (B, C, H, W).

        Its values are within the range of the values in each window.
        """
        return channel_by_channel(self._smoothed, working(image_BCHW)).to(image_BCHW.dtype)

    def _smoothed(self, image: Tensor) -> Tensor:
        radius = self.options.radius
        mean = box_mean(image, radius)
        # E[x²] - E[x]² cancels on bright flat windows: hence float64, and no value below 0 from rounding.
        variance = (box_mean(image.square(), radius) - mean.square()).clamp_min(0)
        a = variance / (variance + self.options.eps)
        b = (1 - a) * mean
        return box_mean(a, radius) * image + box_mean(b, radius)
