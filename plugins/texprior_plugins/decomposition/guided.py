"""The guided filter (He, Sun, Tang, ECCV 2010; algorithm 1) with the picture as its own guide."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional

from texprior.flow.decompose import StructureFilter
from texprior_plugins.decomposition import GuidedOptions
from texprior_plugins.decomposition._precision import working


def box_mean(image_BCHW: Tensor, radius: int) -> Tensor:
    """Means over windows of (2 radius + 1)², each over the pixels that lie inside the picture."""
    side = 2 * radius + 1
    rows = functional.avg_pool2d(image_BCHW, (side, 1), 1, (radius, 0), count_include_pad=False)
    return functional.avg_pool2d(rows, (1, side), 1, (0, radius), count_include_pad=False)


class Guided(StructureFilter):
    """S = mean(a) I + mean(b), where a = var / (var + eps) and b = (1 - a) mean in each window.

    Every channel guides itself, so any number of channels will do; the paper's colour guide, which couples the
    three channels, is another filter.
    """

    def __init__(self, options: GuidedOptions) -> None:
        self.options = options

    def structure(self, image_BCHW: Tensor) -> Tensor:
        """The smoothed picture, (B, C, H, W), within the range of its windows."""
        image, radius = working(image_BCHW), self.options.radius
        mean = box_mean(image, radius)
        variance = (box_mean(image.square(), radius) - mean.square()).clamp_min(0)
        a = variance / (variance + self.options.eps)
        b = (1 - a) * mean
        return (box_mean(a, radius) * image + box_mean(b, radius)).to(image_BCHW.dtype)
