"""Adds y_eps through zero convolutions (Zhang et al. 2023, section 3.1), without a network copy."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from texprior.flow.adapt import BlockAdapter, Features
from texprior.flow.prior import DenoiserNet
from texprior_plugins.adapter import ZeroConvOptions
from texprior_plugins.adapter._bring import Bring, named, padded, zeroed


class ZeroConvolution(BlockAdapter):
    """Addition through zero convolutions, after every basic denoising block of its position.

    h' = h + Z(GELU(Conv(y_eps))), with Z a 1x1 convolution.

    y_eps is unshuffled and convolved once for each stride. The blocks of a stride share the result.
    """

    def __init__(self, options: ZeroConvOptions, denoiser: DenoiserNet) -> None:
        super().__init__(denoiser, options.position)
        strides = sorted({b.stride for b in self.block_of.values()})
        self.bring = nn.ModuleDict({str(s): Bring(s, options.width, options.kernel) for s in strides})
        self.add = nn.ModuleDict({named(n): nn.Conv2d(options.width, b.channels, 1) for n, b in self.block_of.items()})
        if options.zero_init:
            zeroed(self.add)

    def features(self, estimate_BCHW: Tensor) -> Features:
        """Returns the summand of every block, (B, channels, H/stride, W/stride)."""
        y = padded(estimate_BCHW, self.multiple)
        brought = {stride: F.gelu(bring(y)) for stride, bring in self.bring.items()}
        return {name: self.add[named(name)](brought[str(b.stride)]) for name, b in self.block_of.items()}

    def after_block(self, block: str, hidden_BCHW: Tensor, features: Features) -> Tensor:
        """Returns h'."""
        return hidden_BCHW + features[block]  # type: ignore[no-any-return]
