"""Peak signal-to-noise ratio of the structure band and of the texture band."""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn import functional as F

from texprior_plugins.metric import BandPsnrOptions
from texprior_plugins.metric._filters import filter_separable, gaussian_taps
from texprior_plugins.metric._pictures import check_pair, to_space
from texprior_plugins.metric.psnr import decibels


class BandPsnr:
    """PSNR, for a peak of 1, between the same band of two pictures; at most ``CEILING_DB``.

    The structure band of a picture x is G x, G a Gaussian low-pass of ``sigma``; the texture band is x - G x. Both are
    linear, so that only the error e is filtered: the structure band has lost MSE(G e), the texture band MSE(e - G e).
    By the triangle inequality RMS(e) is at most the sum of the two, and their squares add up to MSE(e) less twice the
    mean of (G e)(e - G e). Beyond the border pictures are mirrored.
    """

    def __init__(self, options: BandPsnrOptions) -> None:
        self.band, self.space = options.band, options.space
        self.key = f"psnr_{options.band}_{options.space}_gauss{options.sigma:g}"
        # four sigmas hold all but 6e-5 of the Gaussian's weight
        self.radius = math.ceil(4 * options.sigma)
        self.taps = gaussian_taps(options.sigma, self.radius)

    def __call__(self, image_BCHW: Tensor, reference_BCHW: Tensor | None) -> Tensor:
        """The scores in dB, (B,) float64. Raises ImageError for pictures smaller than the filter's reach."""
        reference = check_pair(self.key, image_BCHW, reference_BCHW, minimum=self.radius + 1)
        error = to_space(image_BCHW, self.space) - to_space(reference, self.space)
        low = filter_separable(F.pad(error, [self.radius] * 4, mode="reflect"), self.taps)
        return decibels(low if self.band == "structure" else error - low)
