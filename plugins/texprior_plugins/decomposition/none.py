"""No decomposition: the structure is one flat colour, and the texture is the whole picture around it.

The control that every filter is compared with: a prior on it is a plain diffusion prior of pictures. The flat colour is
the picture's mean rather than 0, for two reasons. The diffused layer must have mean 0, as the engine's preconditioning
counts on a layer of mean 0 and standard deviation 1, and photographs around 0 have a mean of twice their deviation.
And a constant picture has no texture under any decomposition.
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
        """A flat picture, (B, C, H, W)."""
        mean = working(image_BCHW).mean((-2, -1), keepdim=True)
        return mean.expand_as(image_BCHW).to(image_BCHW.dtype).contiguous()
