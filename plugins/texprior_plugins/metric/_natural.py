"""Computes natural scene statistics as the NIQE and BRISQUE releases do.

See Mittal et al. 2012, 2013.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from texprior_plugins.metric._filters import filter_separable, gaussian_taps

WINDOW = gaussian_taps(7 / 6, radius=3)
"""The window of both releases for the local mean and deviation: a Gaussian of 7/6 px over 7 x 7 taps."""
SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""Neighbours whose products with a pixel are described: right, below, and both diagonals."""
_FLAT = 1e-8
"""Contrast below this is a rounding error of the filter, since grey values are whole numbers.

The errors have random signs, and fits to them would differ with the order of summation.
"""


def contrast_normalised(grey_B1HW: Tensor, border: str) -> Tensor:
    """Returns (I - mu) / (sigma + 1) with local mean and deviation (equation 1).

    The grey values are in [0, 255]. Outside the picture, border pixels repeat (``replicate``) or pixels are black
    (``constant``).
    """
    padded = F.pad(grey_B1HW, [len(WINDOW) // 2] * 4, mode=border)
    mean = filter_separable(padded, WINDOW)
    # the absolute value: where the picture is flat, rounding can make the variance negative
    deviation = (filter_separable(padded**2, WINDOW) - mean**2).abs().sqrt()
    contrast = grey_B1HW - mean
    return torch.where(contrast.abs() < _FLAT, 0.0, contrast) / (deviation + 1)


def half_size(grey_B1HW: Tensor) -> Tensor:
    """Halves the size, rounded up, as MATLAB's imresize does.

    This is antialiased bicubic interpolation (Keys, a = -1/2).
    """
    # the taps of the kernel, stretched by 2 against aliasing
    distance = torch.arange(-3.5, 4, dtype=torch.float64).abs() / 2
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1
    far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    taps = torch.where(distance <= 1, near, far) / 2

    # borders are mirrored; an odd side is mirrored one pixel further, so that the result is rounded up
    height, width = (side % 2 + 3 for side in grey_B1HW.shape[-2:])
    rows = torch.cat([grey_B1HW[..., :3, :].flip(-2), grey_B1HW, grey_B1HW[..., -height:, :].flip(-2)], dim=-2)
    both = torch.cat([rows[..., :3].flip(-1), rows, rows[..., -width:].flip(-1)], dim=-1)
    return filter_separable(both, taps / taps.sum(), stride=2)


def symmetric_gaussian(values_BNHW: Tensor) -> tuple[Tensor, Tensor]:
    """Fits a generalised Gaussian to each block by moments: shape and variance, each (B, N).

    Sharifi, Leon-Garcia 1995. The shape is searched from 0.2 to 10 in steps of 0.001, as in the release.
    """
    values = values_BNHW.flatten(2)
    variance = values.square().mean(-1)
    kurtosis = variance / values.abs().mean(-1) ** 2
    shapes, ratios = _shapes(values)
    # the search needs a growing sequence; the kurtosis 1 / ratio falls with the shape, so both are negated
    return _nearest(shapes, -1 / ratios, -kurtosis), variance


def asymmetric_gaussian(values_BNHW: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Fits an asymmetric generalised Gaussian to each block by moments.

    Returns shape, mean, left and right deviation, each (B, N). Lasmar, Stitou, Berthoumieu 2009. The shape is searched
    from 0.2 to 10 in steps of 0.001, as in the release.
    """
    values = values_BNHW.flatten(2)
    squared = values.square()
    # zeros belong to neither side, so that flat pixels have no sign
    left = (squared.where(values < 0, 0.0).sum(-1) / (values < 0).sum(-1)).sqrt()
    right = (squared.where(values > 0, 0.0).sum(-1) / (values > 0).sum(-1)).sqrt()
    skew = left / right
    ratio = values.abs().mean(-1) ** 2 / squared.mean(-1)
    ratio = ratio * (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    shape = _nearest(*_shapes(values), ratio)
    mean = (right - left) * unit_scale(shape) * (torch.lgamma(2 / shape) - torch.lgamma(1 / shape)).exp()
    return shape, mean, left, right


def unit_scale(shape: Tensor) -> Tensor:
    """Returns the scale of a generalised Gaussian of unit deviation, sqrt(Gamma(1/a) / Gamma(3/a))."""
    return ((torch.lgamma(1 / shape) - torch.lgamma(3 / shape)) / 2).exp()


def _shapes(like: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the shapes to search, and Gamma(2/a)^2 / (Gamma(1/a) Gamma(3/a)) of each.

    This ratio grows with the shape.
    """
    shapes = torch.arange(200, 10001, dtype=torch.float64, device=like.device) / 1000
    return shapes, (2 * torch.lgamma(2 / shapes) - torch.lgamma(1 / shapes) - torch.lgamma(3 / shapes)).exp()


def _nearest(shapes: Tensor, growing: Tensor, value: Tensor) -> Tensor:
    """Returns the shape whose element of the growing sequence is nearest to the value."""
    # bisection between midpoints finds the same element as a comparison with all 9,801, in far less memory
    return shapes[torch.searchsorted((growing[1:] + growing[:-1]) / 2, value.contiguous())]
