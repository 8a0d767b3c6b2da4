"""Removes the finest bands of the Laplacian pyramid (Burt, Adelson, IEEE Trans. Communications 1983)."""

from __future__ import annotations

from math import ceil

import cv2
import torch
from torch import Tensor

from texprior.flow.decompose import StructureFilter
from texprior_plugins.decomposition import LaplacianOptions
from texprior_plugins.decomposition._borders import mirrored
from texprior_plugins.decomposition._lowpass import lowpass
from texprior_plugins.decomposition._planes import by_opencv, opencv_can
from texprior_plugins.decomposition._precision import at_least_single


def reduced(image: Tensor) -> Tensor:
    """Returns REDUCE of a picture, (ceil(H / 2), ceil(W / 2)).

    It is the kernel (1, 4, 6, 4, 1) / 16 along both axes, at every other pixel.
    """
    if opencv_can(image):
        return by_opencv(cv2.pyrDown, image)
    return _halve(_halve(image).mT).mT


def expanded(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Returns EXPAND of a picture, cut to ``size``.

    Zeros are inserted between the pixels, then twice the kernel is applied along both axes.
    """
    if opencv_can(image):
        return by_opencv(lambda plane: cv2.pyrUp(plane, dstsize=size[::-1]), image)
    return _double(_double(image, size[1]).mT, size[0]).mT


class Laplacian(StructureFilter):
    """S = EXPAND^n(REDUCE^n(I)), n levels; borders are mirrored at the middle of the outermost pixels."""

    def __init__(self, options: LaplacianOptions) -> None:
        self.options = options
        self.grid = 2 ** ceil(options.levels)
        # two px down and two px up at each level, and px double from one level to the next
        self.reach = 4 * self.grid

    def structure(self, image_BCHW: Tensor) -> Tensor:
        """Returns the picture without its finest bands, (B, C, H, W)."""
        return lowpass(at_least_single(image_BCHW), self.options.levels, reduced, expanded).to(image_BCHW.dtype)


def _halve(x: Tensor) -> Tensor:
    n = x.shape[-1]
    padded = mirrored(x, 2, 2, -1, edge_twice=False)
    a, b, c, d, e = (padded[..., k : k + n : 2] for k in range(5))
    return (a + e + 4 * (b + d) + 6 * c) / 16


def _double(x: Tensor, n: int) -> Tensor:
    # These borders are those of OpenCV's pyrUp: mirrored at the start, repeated at the end.
    before, after = x[..., min(1, x.shape[-1] - 1)][..., None], x[..., -1:]
    padded = torch.cat([before, x, after], -1)
    # Half of the kernel's taps meet zeros: even pixels need three taps, odd ones two.
    a, b, c = padded[..., :-2], padded[..., 1:-1], padded[..., 2:]
    return torch.stack([(a + 6 * b + c) / 8, (b + c) / 2], -1).flatten(-2)[..., :n]
