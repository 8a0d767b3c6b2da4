"""Implements the conditional guidance adapter (Ye et al. 2024, the poster's figure c)."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from texprior.flow.adapt import BlockAdapter, Features
from texprior.flow.prior import DenoiserNet
from texprior_plugins.adapter import CgaOptions
from texprior_plugins.adapter._bring import Bring, named, padded, zeroed


class ConditionalGuidanceAdapter(BlockAdapter):
    """Conditional guidance adapter, after every basic denoising block of its position.

    h' = h + MLP_out(GELU(MLP_in(h)) + GELU(Conv(y_eps))).

    y_eps is unshuffled to each block's stride. Each block has its own convolution.
    """

    def __init__(self, options: CgaOptions, denoiser: DenoiserNet) -> None:
        super().__init__(denoiser, options.position)
        blocks = {named(name): block for name, block in self.block_of.items()}
        self.bring = nn.ModuleDict({n: Bring(b.stride, options.width, options.kernel) for n, b in blocks.items()})
        self.mlp_in = nn.ModuleDict({n: nn.Conv2d(b.channels, options.width, 1) for n, b in blocks.items()})
        self.mlp_out = nn.ModuleDict({n: nn.Conv2d(options.width, b.channels, 1) for n, b in blocks.items()})
        if options.zero_init:
            zeroed(self.mlp_out)

    def features(self, estimate_BCHW: Tensor) -> Features:
        """Returns GELU(Conv(y_eps)) of every block, (B, width, H/stride, W/stride)."""
        y = padded(estimate_BCHW, self.multiple)
        return {name: F.gelu(self.bring[named(name)](y)) for name in self.block_of}

    def after_block(self, block: str, hidden_BCHW: Tensor, features: Features) -> Tensor:
        """Returns h'."""
        key = named(block)
        update: Tensor = self.mlp_out[key](F.gelu(self.mlp_in[key](hidden_BCHW)) + features[block])
        return hidden_BCHW + update
