"""Computes the peak signal-to-noise ratio."""

from __future__ import annotations

from torch import Tensor

from texprior_plugins.metric import CEILING_DB, PsnrOptions
from texprior_plugins.metric._pictures import check_pair, to_space


class Psnr:
    """Peak signal-to-noise ratio, -10 log10(MSE) in dB for a peak of 1.

    It is at most ``CEILING_DB``, the score of identical pictures. The ceiling (an RMS error of 1e-5, 1/400 of an 8-bit
    step) keeps means and tests over images finite. The MSE is over all pixels and channels, without a border of
    ``crop`` px on each side. Pictures are neither rounded nor clipped.
    """

    def __init__(self, options: PsnrOptions) -> None:
        self.space, self.crop = options.space, options.crop
        self.key = f"psnr_{options.space}" + (f"_crop{options.crop}" if options.crop else "")

    def __call__(self, image_BCHW: Tensor, reference_BCHW: Tensor | None) -> Tensor:
        """Returns the scores in dB, (B,) float64.

        Raises ImageError if nothing is left inside the border.
        """
        reference = check_pair(self.key, image_BCHW, reference_BCHW, minimum=2 * self.crop + 1)
        difference = to_space(image_BCHW, self.space) - to_space(reference, self.space)
        height, width = difference.shape[-2:]
        inner = difference[..., self.crop : height - self.crop, self.crop : width - self.crop]
        return decibels(inner)


def decibels(error_BCHW: Tensor) -> Tensor:
    """Returns -10 log10 of the mean square of each picture's error, at most ``CEILING_DB``, (B,)."""
    # the clamp is before the logarithm, so that an error of 0 has a finite score
    mse = error_BCHW.square().flatten(1).mean(1)
    return -10 * mse.clamp(min=10 ** (-CEILING_DB / 10)).log10()
