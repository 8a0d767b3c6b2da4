"""Implements the spatial feature transform (Wang et al. 2018, eq. 5) on a frozen denoiser."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from texprior.flow.adapt import BlockAdapter, Features
from texprior.flow.prior import DenoiserNet
from texprior_plugins.adapter import SftOptions
from texprior_plugins.adapter._bring import Bring, named, padded, zeroed


class SpatialFeatureTransform(BlockAdapter):
    """Spatial feature transform after every basic denoising block of its position.

    h' = (1 + gamma(y_eps)) h + beta(y_eps): a residual form, the identity for gamma = beta = 0.

    y_eps is unshuffled to each block's stride. Each block has its own convolution.
    """

    def __init__(self, options: SftOptions, denoiser: DenoiserNet) -> None:
        super().__init__(denoiser, options.position)
        blocks = {named(name): block for name, block in self.block_of.items()}
        self.bring = nn.ModuleDict({n: Bring(b.stride, options.width, options.kernel) for n, b in blocks.items()})
        self.modulate = nn.ModuleDict({n: nn.Conv2d(options.width, 2 * b.channels, 1) for n, b in blocks.items()})
        if options.zero_init:
            zeroed(self.modulate)

    def features(self, estimate_BCHW: Tensor) -> Features:
        """Returns gamma and beta of every block, stacked, (B, 2 channels, H/stride, W/stride)."""
        y = padded(estimate_BCHW, self.multiple)
        return {n: self.modulate[named(n)](F.gelu(self.bring[named(n)](y))) for n in self.block_of}

    def after_block(self, block: str, hidden_BCHW: Tensor, features: Features) -> Tensor:
        """Returns h'."""
        gamma, beta = features[block].chunk(2, 1)
        return (1 + gamma) * hidden_BCHW + beta  # type: ignore[no-any-return]
