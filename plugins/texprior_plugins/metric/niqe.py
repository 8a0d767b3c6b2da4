"""Natural image quality evaluator (Mittal et al. 2013), with the pristine model of its authors' release."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from texprior import weights
from texprior.plugin import Options
from texprior_plugins.metric import NIQE_MODEL
from texprior_plugins.metric._filters import filter_separable, gaussian_taps
from texprior_plugins.metric._pictures import check_picture, luma_rounded

BLOCK = 96
"""Side of the blocks that are described one by one, px."""
_SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""Neighbours whose products are described: right, below, and both diagonals."""
_FLAT = 1e-8
"""Contrast below this is rounding error of the filter (grey values are whole numbers)."""


class Niqe:
    """The distance of a picture's natural scene statistics from those of pristine photographs, >= 0.

    The luma is rounded to 8 bits; whole blocks of 96 x 96 px count, from the upper left. The covariance of a single
    block is taken as 0, and few blocks estimate it badly: only scores of photographs of 400 px and more compare with
    published ones. Blocks without contrast are left out; a picture with no other block scores NaN.
    """

    key = "niqe"

    def __init__(self, _options: Options) -> None:
        model = weights.load(NIQE_MODEL)
        self.mean, self.covariance = model["mean"], model["covariance"]
        self.window = gaussian_taps(7 / 6, radius=3)

    def __call__(self, image_BCHW: Tensor, _reference: Tensor | None = None) -> Tensor:
        """The scores, (B,) float64. Raises ImageError for pictures smaller than 96 px."""
        check_picture(self.key, image_BCHW, BLOCK)
        height, width = (side // BLOCK * BLOCK for side in image_BCHW.shape[-2:])
        grey = luma_rounded(image_BCHW.double())[..., :height, :width] * 255
        fine = block_features(contrast_normalised(grey, self.window), BLOCK)
        coarse = block_features(contrast_normalised(half_size(grey), self.window), BLOCK // 2)
        return torch.stack([self._distance(features) for features in torch.cat([fine, coarse], dim=-1)])

    def _distance(self, features_NF: Tensor) -> Tensor:
        """The Mahalanobis-like distance of equation 10, a scalar."""
        features = features_NF[features_NF.isfinite().all(1)]
        if not len(features):
            return features_NF.new_tensor(float("nan"))
        covariance = features.T.cov() if len(features) > 1 else 0.0
        difference = self.mean.to(features) - features.mean(0)
        pooled = (self.covariance.to(features) + covariance) / 2
        squared: Tensor = difference @ torch.linalg.pinv(pooled, hermitian=True) @ difference
        return squared.sqrt()


def contrast_normalised(grey_B1HW: Tensor, window: Tensor) -> Tensor:
    """(I - mu) / (sigma + 1) with local mean and deviation (equation 1), grey in [0, 255]; borders are replicated."""
    padded = F.pad(grey_B1HW, [len(window) // 2] * 4, mode="replicate")
    mean = filter_separable(padded, window)
    deviation = (filter_separable(padded**2, window) - mean**2).abs().sqrt()
    contrast = grey_B1HW - mean
    return torch.where(contrast.abs() < _FLAT, 0.0, contrast) / (deviation + 1)


def half_size(grey_B1HW: Tensor) -> Tensor:
    """Half the size by antialiased bicubic interpolation (Keys, a = -1/2), as MATLAB's imresize; even sides."""
    distance = torch.arange(-3.5, 4, dtype=torch.float64).abs() / 2
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1
    far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    taps = torch.where(distance <= 1, near, far) / 2
    rows = torch.cat([grey_B1HW[..., :3, :].flip(-2), grey_B1HW, grey_B1HW[..., -3:, :].flip(-2)], dim=-2)
    both = torch.cat([rows[..., :3].flip(-1), rows, rows[..., -3:].flip(-1)], dim=-1)
    return filter_separable(both, taps / taps.sum(), stride=2)


def block_features(contrast_B1HW: Tensor, side: int) -> Tensor:
    """18 features of each block, (B, N, 18): those of the contrast, then of its products with four neighbours.

    NaN where a block has no contrast.
    """
    batch, _, height, width = contrast_B1HW.shape
    grid = contrast_B1HW.reshape(batch, height // side, side, width // side, side)
    blocks = grid.transpose(2, 3).flatten(1, 2)  # (B, N, side, side)
    shape, _, left, right = asymmetric_gaussian(blocks)
    features = [shape, (left + right) / 2]
    for shift in _SHIFTS:
        features.extend(asymmetric_gaussian(blocks * blocks.roll(shift, dims=(-2, -1))))
    return torch.stack(features, dim=-1)


def asymmetric_gaussian(values_BNHW: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Moment fit of an asymmetric generalised Gaussian per block: shape, mean, left and right scale, each (B, N).

    Lasmar, Stitou, Berthoumieu 2009; the shape is searched from 0.2 to 10 in steps of 0.001, as in the release.
    """
    values = values_BNHW.flatten(2)
    squared = values.square()
    left = (squared.where(values < 0, 0.0).sum(-1) / (values < 0).sum(-1)).sqrt()
    right = (squared.where(values > 0, 0.0).sum(-1) / (values > 0).sum(-1)).sqrt()
    skew = left / right
    ratio = values.abs().mean(-1) ** 2 / squared.mean(-1)
    ratio = ratio * (skew**3 + 1) * (skew + 1) / (skew**2 + 1) ** 2
    shapes = torch.arange(200, 10001, dtype=torch.float64, device=values.device) / 1000
    ratios = (2 * torch.lgamma(2 / shapes) - torch.lgamma(1 / shapes) - torch.lgamma(3 / shapes)).exp()
    # the ratio grows with the shape, so the nearest one is found by bisection between midpoints
    shape = shapes[torch.searchsorted((ratios[1:] + ratios[:-1]) / 2, ratio.contiguous())]
    unit = ((torch.lgamma(1 / shape) - torch.lgamma(3 / shape)) / 2).exp()
    left, right = left * unit, right * unit
    mean = (right - left) * (torch.lgamma(2 / shape) - torch.lgamma(1 / shape)).exp()
    return shape, mean, left, right
