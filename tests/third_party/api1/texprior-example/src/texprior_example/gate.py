"""Multiplies the output of each block of the frozen denoiser by a gate."""

from __future__ import annotations

from texprior.flow.adapt import BlockAdapter, Features
from texprior.flow.prior import Block, DenoiserNet
from torch import Tensor, nn
from torch.nn import functional as F

from texprior_example import GateOptions


class Gate(BlockAdapter):
    """Computes h' = (1 + tanh(Conv1x1(GELU(Conv(y_eps))))) h. The outer convolution starts at zero, the gate at 1.

    The gate depends only on y_eps. So it is computed once per image, for any number of steps.
    """

    def __init__(self, options: GateOptions, denoiser: DenoiserNet) -> None:
        super().__init__(denoiser)
        self.gates = nn.ModuleDict(
            {_key(name): _gate(block, options.width, options.kernel) for name, block in self.block_of.items()}
        )

    def features(self, estimate_BCHW: Tensor) -> Features:
        """Returns the gate of each block, (B, channels, H/stride, W/stride), in (0, 2)."""
        height, width = estimate_BCHW.shape[-2:]
        # pad in the same way as the denoiser pads its input, so that positions agree
        padding = (0, -width % self.multiple, 0, -height % self.multiple)
        y = F.pad(2 * estimate_BCHW - 1, padding, mode="replicate")
        return {
            name: 1 + self.gates[_key(name)](F.pixel_unshuffle(y, block.stride)).tanh()
            for name, block in self.block_of.items()
        }

    def after_block(self, block: str, hidden_BCHW: Tensor, features: Features) -> Tensor:
        """Returns h', the gated output of the block."""
        return features[block] * hidden_BCHW


def _gate(block: Block, width: int, kernel: int) -> nn.Sequential:
    # zeros, so that a new adapter leaves the prior's output unchanged (identity="bitwise")
    last = nn.Conv2d(width, block.channels, 1)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Conv2d(3 * block.stride**2, width, kernel, padding=kernel // 2), nn.GELU(), last)


def _key(block: str) -> str:
    # the name of a module must not contain a dot
    return block.replace(".", "_")
