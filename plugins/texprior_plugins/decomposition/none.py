"""Leaves pictures undecomposed: the structure is one flat colour, and the texture is the rest.

Every filter is compared with this control: a prior on it is a plain diffusion prior of pictures. The flat colour is
the picture's mean and not 0, for two reasons:

- The diffused layer must have mean 0: the engine's preconditioning assumes mean 0 and standard deviation 1. The values
  of photographs have a mean of about twice their standard deviation.
- A constant picture must have no texture in any decomposition.
"""

from __future__ import annotations

from torch import Tensor

from texprior.flow.decompose import StructureFilter
from texprior_plugins.decomposition import NoneOptions
from texprior_plugins.decomposition._precision import working


class Nothing(StructureFilter):
    """S = the mean of each channel over the picture."""

    def __init__(self, options: NoneOptions) -> None:
        self.options = options

    def structure(self, image_BCHW: Tensor) -> Tensor:
        """Returns a flat picture, (B, C, H, W)."""
        mean = working(image_BCHW).mean((-2, -1), keepdim=True)
        return mean.expand_as(image_BCHW).to(image_BCHW.dtype).contiguous()
