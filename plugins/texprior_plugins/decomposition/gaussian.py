"""Smooths with a Gaussian low-pass filter: the texture is all fine detail, including edges."""

from __future__ import annotations

from torch import Tensor

from texprior.flow.decompose import StructureFilter
from texprior_plugins.decomposition import GaussianOptions
from texprior_plugins.decomposition._blur import blurred, gaussian_taps
from texprior_plugins.decomposition._precision import at_least_single


class Gaussian(StructureFilter):
    """S = G_sigma * I with mirrored borders.

    This is the first level of a scale space (Koenderink 1984).
    """

    def __init__(self, options: GaussianOptions) -> None:
        self.options = options
        self.reach = len(gaussian_taps(options.sigma)) // 2

    def structure(self, image_BCHW: Tensor) -> Tensor:
        """Returns the blurred picture, (B, C, H, W), within the range of the picture."""
        return blurred(at_least_single(image_BCHW), self.options.sigma).to(image_BCHW.dtype)
