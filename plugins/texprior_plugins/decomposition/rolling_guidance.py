"""Smooths with the rolling guidance filter (Zhang, Shen, Xu, Jia, ECCV 2014; algorithm 1)."""

from __future__ import annotations

from torch import Tensor

from texprior.flow.decompose import StructureFilter
from texprior_plugins.decomposition import RollingGuidanceOptions
from texprior_plugins.decomposition._blur import blurred, gaussian_taps
from texprior_plugins.decomposition._joint_bilateral import joint_bilateral, radius_of
from texprior_plugins.decomposition._planes import one_by_one
from texprior_plugins.decomposition._precision import at_least_single


class RollingGuidance(StructureFilter):
    """Filters the picture repeatedly; each result guides the next iteration.

    The first guide is the picture after a Gaussian. Detail smaller than ``sigma_space`` is missing in it and does not
    come back. The edges of larger objects come back in the iterations. ``iterations`` does not count the Gaussian.
    """

    def __init__(self, options: RollingGuidanceOptions) -> None:
        self.options = options
        first = len(gaussian_taps(options.sigma_space)) // 2
        self.reach = first + options.iterations * radius_of(options.sigma_space)

    def structure(self, image_BCHW: Tensor) -> Tensor:
        """Returns the smoothed picture, (B, C, H, W).

        Its values are within the range of the values in each window.
        """
        return one_by_one(self._rolled, at_least_single(image_BCHW)).to(image_BCHW.dtype)

    def _rolled(self, image: Tensor) -> Tensor:
        options = self.options
        guide = blurred(image, options.sigma_space)
        for _ in range(options.iterations):
            guide = joint_bilateral(image, guide, options.sigma_space, options.sigma_range)
        return guide
