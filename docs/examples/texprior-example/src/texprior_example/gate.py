"""A gate on each block of the frozen denoiser."""

from __future__ import annotations

from texprior.flow.adapt import BlockAdapter, Features
from texprior.flow.prior import Block, DenoiserNet
from torch import Tensor, nn
from torch.nn import functional as F

from texprior_example import GateOptions


class Gate(BlockAdapter):
    """h' = (1 + tanh(Conv1x1(GELU(Conv(y_eps))))) h; the outer convolution starts at zero, and the gate at 1.

    The gate depends on y_eps alone, so that it is computed once for an image, whatever the steps.
    """

    def __init__(self, options: GateOptions, denoiser: DenoiserNet) -> None:
        super().__init__(denoiser)
        self.gates = nn.ModuleDict(
            {_key(name): _gate(block, options.width, options.kernel) for name, block in self.block_of.items()}
        )

    def features(self, estimate_BCHW: Tensor) -> Features:
        """The gate of each block, (B, channels, H/stride, W/stride), in (0, 2)."""
        height, width = estimate_BCHW.shape[-2:]
        padding = (0, -width % self.multiple, 0, -height % self.multiple)  # as the denoiser pads its input
        y = F.pad(2 * estimate_BCHW - 1, padding, mode="replicate")
        return {
            name: 1 + self.gates[_key(name)](F.pixel_unshuffle(y, block.stride)).tanh()
            for name, block in self.block_of.items()
        }

    def after_block(self, block: str, hidden_BCHW: Tensor, features: Features) -> Tensor:
        """h'."""
        return features[block] * hidden_BCHW


def _gate(block: Block, width: int, kernel: int) -> nn.Sequential:
    last = nn.Conv2d(width, block.channels, 1)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Conv2d(3 * block.stride**2, width, kernel, padding=kernel // 2), nn.GELU(), last)


def _key(block: str) -> str:
    return block.replace(".", "_")
