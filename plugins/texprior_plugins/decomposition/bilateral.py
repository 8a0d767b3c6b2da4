"""Smooths with the bilateral filter (Tomasi, Manduchi, ICCV 1998)."""

from __future__ import annotations

from torch import Tensor

from texprior.flow.decompose import StructureFilter
from texprior_plugins.decomposition import BilateralOptions
from texprior_plugins.decomposition._joint_bilateral import joint_bilateral, radius_of
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
        image, options = at_least_single(image_BCHW), self.options
        return joint_bilateral(image, image, options.sigma_space, options.sigma_range).to(image_BCHW.dtype)
