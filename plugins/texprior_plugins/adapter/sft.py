"""The spatial feature transform (Wang et al. 2018, eq. 5), as a residual on a frozen denoiser."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional as F

from texprior.flow.adapt import BlockAdapter, Features
from texprior.flow.prior import Block
from texprior_plugins.adapter import SftOptions
from texprior_plugins.adapter._bring import Bring, padded


class SpatialFeatureTransform(BlockAdapter):
    """h' = (1 + gamma(y_eps)) h + beta(y_eps), after every basic denoising block."""

    def __init__(self, options: SftOptions, blocks: Mapping[str, Block]) -> None:
        super().__init__(blocks)
        self.bring = nn.ModuleDict({_key(n): Bring(b.stride, options.width, options.kernel) for n, b in blocks.items()})
        self.modulate = nn.ModuleDict({_key(n): nn.Conv2d(options.width, 2 * b.channels, 1) for n, b in blocks.items()})
        if options.zero_init:
            for parameter in self.modulate.parameters():
                nn.init.zeros_(parameter)

    def features(self, estimate_BCHW: Tensor) -> Features:
        """gamma and beta of every block, stacked, (B, 2 channels, H/stride, W/stride)."""
        y = padded(estimate_BCHW, {b.stride for b in self.block_of.values()})
        return {n: self.modulate[_key(n)](F.gelu(self.bring[_key(n)](y))) for n in self.block_of}

    def after_block(self, block: str, hidden_BCHW: Tensor, features: Features) -> Tensor:
        """h'."""
        gamma, beta = features[block].chunk(2, 1)
        return (1 + gamma) * hidden_BCHW + beta  # type: ignore[no-any-return]


def _key(block: str) -> str:
    return block.replace(".", "_")
