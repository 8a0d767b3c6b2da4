"""The conditional guidance adapter (Ye et al. 2024, the poster's figure c)."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn import functional as F

from texprior.flow.adapt import BlockAdapter, Features
from texprior.flow.prior import Block
from texprior_plugins.adapter import CgaOptions
from texprior_plugins.adapter._bring import Bring, padded


class ConditionalGuidanceAdapter(BlockAdapter):
    """h' = h + MLP_out(GELU(MLP_in(h)) + GELU(Conv(y_eps))), after every basic denoising block."""

    def __init__(self, options: CgaOptions, blocks: Mapping[str, Block]) -> None:
        super().__init__(blocks)
        self.bring = nn.ModuleDict({_key(n): Bring(b.stride, options.width, options.kernel) for n, b in blocks.items()})
        self.mlp_in = nn.ModuleDict({_key(n): nn.Conv2d(b.channels, options.width, 1) for n, b in blocks.items()})
        self.mlp_out = nn.ModuleDict({_key(n): nn.Conv2d(options.width, b.channels, 1) for n, b in blocks.items()})
        if options.zero_init:
            for parameter in self.mlp_out.parameters():
                nn.init.zeros_(parameter)

    def features(self, estimate_BCHW: Tensor) -> Features:
        """GELU(Conv(y_eps)) of every block, (B, width, H/stride, W/stride)."""
        y = padded(estimate_BCHW, {b.stride for b in self.block_of.values()})
        return {name: F.gelu(self.bring[_key(name)](y)) for name in self.block_of}

    def after_block(self, block: str, hidden_BCHW: Tensor, features: Features) -> Tensor:
        """h'."""
        key = _key(block)
        update: Tensor = self.mlp_out[key](F.gelu(self.mlp_in[key](hidden_BCHW)) + features[block])
        return hidden_BCHW + update


def _key(block: str) -> str:
    return block.replace(".", "_")
