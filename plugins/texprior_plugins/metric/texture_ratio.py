"""Compares the texture of a restored picture with that of its reference."""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn import functional as F

from texprior.flow.measure import Scoring
from texprior_plugins.metric import TextureRatioOptions
from texprior_plugins.metric._filters import filter_separable, gaussian_taps
from texprior_plugins.metric._pictures import check_pair, check_picture
from texprior_plugins.metric._precision import working

FLOOR = 1 / (255 * math.sqrt(12))
"""The standard deviation of rounding to 8 bits: texture below it cannot be distinguished from rounding."""


class TextureRatio:
    """Ratio std(T(restored)) / std(T(reference)), with T the picture minus its Gaussian low-pass.

    Below 1 the picture is over-smooth, above 1 it is over-textured or noisy. Both deviations, over all pixels and
    channels, are at least ``FLOOR``. So two pictures without texture score 1, and the score is finite if the reference
    has no texture.
    """

    def __init__(self, options: TextureRatioOptions) -> None:
        self.key = f"texture_ratio_gauss{options.sigma:g}"
        # four sigmas contain all but 6e-5 of the Gaussian's weight
        self.radius = math.ceil(4 * options.sigma)
        self.taps = gaussian_taps(options.sigma, self.radius)

    def __call__(self, image_BCHW: Tensor, reference_BCHW: Tensor | None) -> Tensor:
        """Returns the scores, (B,) float64.

        Raises ImageError for pictures smaller than the filter's reach.
        """
        reference = check_pair(self.key, image_BCHW, reference_BCHW, minimum=self.radius + 1)
        return self._deviation(working(image_BCHW)) / self._deviation(working(reference))

    def against(self, reference_BCHW: Tensor) -> Scoring:
        """Returns the same scores, with the reference's deviation computed once."""
        check_picture(self.key, reference_BCHW, self.radius + 1)
        expected = self._deviation(working(reference_BCHW))

        def scores(image_BCHW: Tensor) -> Tensor:
            check_pair(self.key, image_BCHW, reference_BCHW, self.radius + 1)
            return self._deviation(working(image_BCHW)) / expected

        return scores

    def _deviation(self, image_BCHW: Tensor) -> Tensor:
        padded = F.pad(image_BCHW, [self.radius] * 4, mode="reflect")
        texture = image_BCHW - filter_separable(padded, self.taps)
        return texture.flatten(1).std(1, correction=0).clamp(min=FLOOR)
