"""Smooths with the bilateral filter (Tomasi, Manduchi, ICCV 1998)."""

from __future__ import annotations

from torch import Tensor

from texprior.flow.decompose import StructureFilter
from texprior_plugins.decomposition import BilateralOptions
from texprior_plugins.decomposition._joint_bilateral import joint_bilateral, radius_of
from texprior_plugins.decomposition._planes import one_by_one
from texprior_plugins.decomposition._precision import at_least_single


class Bilateral(StructureFilter):
    """S = means over neighbours that are close in space and in colour.

    All channels of a pixel share their weights.
    """

    def __init__(self, options: BilateralOptions) -> None:
        self.options = options
        self.reach = radius_of(options.sigma_space)

    def structure(self, image_BCHW: Tensor) -> Tensor:
        """Returns the smoothed picture, (B, C, H, W).

        Its values are within the range of the values in each window.
        """
        space, colour = self.options.sigma_space, self.options.sigma_range
        structure = one_by_one(lambda image: joint_bilateral(image, image, space, colour), at_least_single(image_BCHW))
        return structure.to(image_BCHW.dtype)
