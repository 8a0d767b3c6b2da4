"""Removes the finest bands of Daubechies wavelets; these bands are the texture.

I. Daubechies, Comm. Pure and Applied Mathematics 41, 1988. The filters are computed, not listed:
h(z) = sqrt(2) ((1 + z) / 2)^N q(z). |q|² is the polynomial P(y) = sum over k < N of C(N - 1 + k, k) y^k at
y = sin²(w / 2), factored by its roots inside the unit circle.
"""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from texprior.flow.decompose import StructureFilter
from texprior_plugins.decomposition import WaveletOptions
from texprior_plugins.decomposition._borders import mirrored
from texprior_plugins.decomposition._lowpass import lowpass
from texprior_plugins.decomposition._precision import working


@functools.cache
def scaling_filter(moments: int) -> tuple[float, ...]:
    """Returns the 2N coefficients of the scaling filter with N vanishing moments and minimum phase.

    Their sum is sqrt(2).
    """
    of_y = np.roots([math.comb(moments - 1 + k, k) for k in reversed(range(moments))])
    filter_ = np.ones(1)
    # y = (2 - z - 1/z) / 4 is a quadratic in z with one root inside the circle. Those roots have the minimum phase.
    for y in of_y:
        roots = np.roots([1, 4 * y - 2, 1])
        filter_ = np.convolve(filter_, [1, -roots[np.abs(roots).argmin()]])
    for _ in range(moments):
        filter_ = np.convolve(filter_, [1, 1])
    real = filter_.real * (math.sqrt(2) / filter_.real.sum())
    return tuple(float(value) for value in real)


def analysed(image: Tensor, moments: int) -> Tensor:
    """Returns the approximation after one step of the transform.

    The picture is filtered along both axes with mirrored borders, at every other pixel.
    """
    return _analyse(_analyse(image, moments).mT, moments).mT


def synthesised(approximation: Tensor, size: tuple[int, int], moments: int) -> Tensor:
    """Inverts one step with all details set to 0.

    ``size`` is the result's height and width.
    """
    return _synthesise(_synthesise(approximation, size[1], moments).mT, size[0], moments).mT


class Wavelet(StructureFilter):
    """S = the picture after its finest detail bands are set to 0.

    The transform is orthonormal and decimated, with mirrored borders.
    """

    def __init__(self, options: WaveletOptions) -> None:
        self.options = options
        self.grid = 2 ** math.ceil(options.levels)
        # a filter of 2 N taps down and one up at each level, whose px double from one level to the next
        self.reach = 4 * options.moments * self.grid

    def structure(self, image_BCHW: Tensor) -> Tensor:
        """Returns the picture without its finest bands, (B, C, H, W)."""
        moments = self.options.moments
        down = functools.partial(analysed, moments=moments)
        up = functools.partial(synthesised, moments=moments)
        return lowpass(working(image_BCHW), self.options.levels, down, up).to(image_BCHW.dtype)


def _analyse(x: Tensor, moments: int) -> Tensor:
    length = 2 * moments
    n = (x.shape[-1] + length - 1) // 2
    padded = mirrored(x, length - 2, length - 1, -1)
    total = torch.zeros_like(padded[..., :n])
    for k, tap in enumerate(scaling_filter(moments)):
        total.add_(padded[..., k::2][..., :n], alpha=tap)
    return total


def _synthesise(x: Tensor, n: int, moments: int) -> Tensor:
    taps = torch.tensor(scaling_filter(moments), dtype=x.dtype, device=x.device)
    flat = functional.conv_transpose1d(x.reshape(-1, 1, x.shape[-1]), taps.view(1, 1, -1), stride=2)
    return flat.reshape(*x.shape[:-1], -1)[..., 2 * moments - 2 :][..., :n]
