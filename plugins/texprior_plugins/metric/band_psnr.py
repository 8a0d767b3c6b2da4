"""Computes the peak signal-to-noise ratio of the structure or the texture band."""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn import functional as F

from texprior_plugins.metric import BandPsnrOptions
from texprior_plugins.metric._filters import filter_separable, gaussian_taps
from texprior_plugins.metric._pictures import check_pair, to_space
from texprior_plugins.metric.psnr import decibels


class BandPsnr:
    """PSNR between the same band of two pictures, for a peak of 1.

    It is at most ``CEILING_DB``.

    The structure band of a picture x is G x, with G a Gaussian low-pass of ``sigma``. The texture band is x - G x. Both
    are linear, so only the error e is filtered: the structure band's error is MSE(G e), the texture band's is
    MSE(e - G e). By the triangle inequality RMS(e) is at most the sum of the two RMS errors. Their squares add up to
    MSE(e) less twice the mean of (G e)(e - G e). Pictures are mirrored at their borders.
    """

    def __init__(self, options: BandPsnrOptions) -> None:
        self.band, self.space = options.band, options.space
        self.key = f"psnr_{options.band}_{options.space}_gauss{options.sigma:g}"
        # four sigmas contain all but 6e-5 of the Gaussian's weight
        self.radius = math.ceil(4 * options.sigma)
        self.taps = gaussian_taps(options.sigma, self.radius)

    def __call__(self, image_BCHW: Tensor, reference_BCHW: Tensor | None) -> Tensor:
        """Returns the scores in dB, (B,) float64.

        Raises ImageError for pictures smaller than the filter's reach.
        """
        reference = check_pair(self.key, image_BCHW, reference_BCHW, minimum=self.radius + 1)
        error = to_space(image_BCHW, self.space) - to_space(reference, self.space)
        low = filter_separable(F.pad(error, [self.radius] * 4, mode="reflect"), self.taps)
        return decibels(low if self.band == "structure" else error - low)
