"""Adds features of the condition to the encoder once per resolution.

This is the T2I-Adapter (Mou et al. 2024).
"""

from __future__ import annotations

import itertools

from torch import Tensor, nn
from torch.nn import functional as F

from texprior.errors import ConfigError
from texprior.flow.adapt import BlockAdapter, Features
from texprior.flow.prior import DenoiserNet
from texprior_plugins.adapter import T2iOptions
from texprior_plugins.adapter._bring import Bring, named, padded, zeroed


class T2iAdapter(BlockAdapter):
    """T2I-Adapter: h' = h + F_k after the last encoder block of each resolution k.

    The sum also enters the skip connection. y_eps is unshuffled to the finest stride and convolved. Residual blocks and
    average pooling then bring it from each resolution to the next, as in the paper.

    The paper adds F_k without a further layer. Here a 1x1 convolution comes before the sum. It starts at zero unless
    ``zero_init`` is false. Raises ConfigError if a stride is not a multiple of the next finer one.
    """

    def __init__(self, options: T2iOptions, denoiser: DenoiserNet) -> None:
        super().__init__(denoiser, "encoder")

        # later blocks of a stride overwrite earlier ones, so the last block of each resolution remains
        last = {b.stride: (name, b) for name, b in self.block_of.items()}
        self.block_of = dict(last.values())
        self.strides = sorted(last)

        # average pooling can go only to a stride that is a whole multiple
        for fine, coarse in itertools.pairwise(self.strides):
            if coarse % fine:
                raise ConfigError(
                    f"adapter: t2i needs strides that divide each other; the denoiser has {fine} and {coarse}"
                )

        self.bring = Bring(self.strides[0], options.width, 3)
        self.body = nn.ModuleList(
            nn.Sequential(*(_Residual(options.width) for _ in range(options.blocks))) for _ in self.strides
        )
        self.add = nn.ModuleDict({named(n): nn.Conv2d(options.width, b.channels, 1) for n, b in self.block_of.items()})
        if options.zero_init:
            zeroed(self.add)

    def features(self, estimate_BCHW: Tensor) -> Features:
        """Returns F_k by the block after which it is added, (B, channels, H/stride, W/stride)."""
        f = self.bring(padded(estimate_BCHW, self.multiple))
        block_at = {b.stride: name for name, b in self.block_of.items()}
        added = {}
        for k, stride in enumerate(self.strides):
            f = F.avg_pool2d(f, stride // self.strides[k - 1]) if k else f
            f = self.body[k](f)
            added[block_at[stride]] = self.add[named(block_at[stride])](f)
        return added

    def after_block(self, block: str, hidden_BCHW: Tensor, features: Features) -> Tensor:
        """Returns h'."""
        return hidden_BCHW + features[block]  # type: ignore[no-any-return]


class _Residual(nn.Module):
    """Residual block: f + Conv1x1(ReLU(Conv3x3(f)))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.spatial, self.pointwise = nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, width, 1)

    def forward(self, f_BCHW: Tensor) -> Tensor:
        return f_BCHW + self.pointwise(F.relu(self.spatial(f_BCHW)))  # type: ignore[no-any-return]
