"""The rolling guidance filter (Zhang, Shen, Xu, Jia, ECCV 2014; algorithm 1)."""

from __future__ import annotations

from torch import Tensor

from texprior.flow.decompose import StructureFilter
from texprior_plugins.decomposition import RollingGuidanceOptions
from texprior_plugins.decomposition._blur import blurred
from texprior_plugins.decomposition._joint_bilateral import joint_bilateral
from texprior_plugins.decomposition._precision import at_least_single


class RollingGuidance(StructureFilter):
    """The picture, filtered again and again under the guidance of the last result, which begins as a Gaussian's.

    What is smaller than ``sigma_space`` is gone from the first guide and never comes back; edges of what is larger
    come back one iteration after the other. ``iterations`` counts those after the Gaussian.
    """

    def __init__(self, options: RollingGuidanceOptions) -> None:
        self.options = options

    def structure(self, image_BCHW: Tensor) -> Tensor:
        """The smoothed picture, (B, C, H, W), within the range of its windows."""
        image, options = at_least_single(image_BCHW), self.options
        guide = blurred(image, options.sigma_space)
        for _ in range(options.iterations):
            guide = joint_bilateral(image, guide, options.sigma_space, options.sigma_range)
        return guide.to(image_BCHW.dtype)
