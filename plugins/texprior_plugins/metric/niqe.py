"""Computes NIQE (Mittal et al. 2013) with the pristine model of its authors' release."""

from __future__ import annotations

import torch
from torch import Tensor

from texprior import weights
from texprior.plugin import Options
from texprior_plugins.metric import NIQE_MODEL
from texprior_plugins.metric._natural import SHIFTS, asymmetric_gaussian, contrast_normalised, half_size, unit_scale
from texprior_plugins.metric._pictures import check_picture, luma_rounded
from texprior_plugins.metric._precision import working

BLOCK = 96
"""Side of the blocks, px: that of the release, whose pristine model describes blocks of this size."""


class Niqe:
    """Natural image quality evaluator: distance from the statistics of pristine photographs, >= 0.

    The luma is rounded to 8 bits. Only whole blocks of 96 x 96 px count, from the upper left. The covariance of a
    single block is 0 by definition here, and few blocks estimate it badly. Therefore only scores of photographs of
    400 px and more are comparable with published ones. Blocks without contrast are left out. A picture with no other
    block scores NaN.
    """

    key = "niqe"

    def __init__(self, _options: Options) -> None:
        model = weights.load(NIQE_MODEL)
        self.mean, self.covariance = model["mean"], model["covariance"]

    def __call__(self, image_BCHW: Tensor, _reference: Tensor | None = None) -> Tensor:
        """Returns the scores, (B,) float64.

        Raises ImageError for pictures smaller than 96 px.
        """
        check_picture(self.key, image_BCHW, BLOCK)
        height, width = (side // BLOCK * BLOCK for side in image_BCHW.shape[-2:])
        grey = luma_rounded(working(image_BCHW))[..., :height, :width] * 255
        fine = block_features(contrast_normalised(grey, "replicate"), BLOCK)
        coarse = block_features(contrast_normalised(half_size(grey), "replicate"), BLOCK // 2)
        return torch.stack([self._distance(features) for features in torch.cat([fine, coarse], dim=-1)])

    def _distance(self, features_NF: Tensor) -> Tensor:
        """Returns the Mahalanobis-like distance of equation 10, a scalar."""
        features = features_NF[features_NF.isfinite().all(1)]
        if not len(features):
            return features_NF.new_tensor(float("nan"))
        covariance = features.T.cov() if len(features) > 1 else 0.0
        difference = self.mean.to(features) - features.mean(0)
        pooled = (self.covariance.to(features) + covariance) / 2
        # the pseudo-inverse, as in the release: it exists even if the pooled covariance is singular
        squared: Tensor = difference @ torch.linalg.pinv(pooled, hermitian=True) @ difference
        return squared.sqrt()


def block_features(contrast_B1HW: Tensor, side: int) -> Tensor:
    """Returns 18 features of each block, (B, N, 18).

    First come those of the contrast, then those of its products with four neighbours. They are NaN if a block has no
    contrast.
    """
    batch, _, height, width = contrast_B1HW.shape
    grid = contrast_B1HW.reshape(batch, height // side, side, width // side, side)
    blocks = grid.transpose(2, 3).flatten(1, 2)  # (B, N, side, side)
    shape, _, left, right = asymmetric_gaussian(blocks)
    features = [shape, (left + right) / 2 * unit_scale(shape)]
    for shift in SHIFTS:
        shape, mean, left, right = asymmetric_gaussian(blocks * blocks.roll(shift, dims=(-2, -1)))
        features += [shape, mean, left * unit_scale(shape), right * unit_scale(shape)]
    return torch.stack(features, dim=-1)
