"""Smooths with the guided filter, with the picture as its own guide.

See He, Sun, Tang, ECCV 2010, algorithm 1.
"""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from texprior.flow.decompose import StructureFilter
from texprior_plugins.decomposition import GuidedOptions
from texprior_plugins.decomposition._precision import working


def box_mean(image_BCHW: Tensor, radius: int) -> Tensor:
    """Returns means over windows of (2 radius + 1)² px.

    Each mean counts only the pixels inside the picture.
    """
    # One axis after the other costs 2 (2 radius + 1) instead of (2 radius + 1)² additions per pixel.
    side = 2 * radius + 1
    rows = functional.avg_pool2d(image_BCHW, (side, 1), 1, (radius, 0), count_include_pad=False)
    return functional.avg_pool2d(rows, (1, side), 1, (0, radius), count_include_pad=False)


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
        image, radius = working(image_BCHW), self.options.radius
        mean = box_mean(image, radius)
        # E[x²] - E[x]² cancels on bright flat windows: hence float64, and no value below 0 from rounding.
        variance = (box_mean(image.square(), radius) - mean.square()).clamp_min(0)
        a = variance / (variance + self.options.eps)
        b = (1 - a) * mean
        return (box_mean(a, radius) * image + box_mean(b, radius)).to(image_BCHW.dtype)
