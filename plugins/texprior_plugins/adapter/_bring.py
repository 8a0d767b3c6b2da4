"""Brings y_eps to the resolution of a block.

Pixel-unshuffling keeps every value of y_eps; a convolution follows.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class Bring(nn.Module):
    """Convolution of y_eps, pixel-unshuffled to a stride.

    Conv(unshuffle(2 y - 1, stride)): (B, 3, H, W) -> (B, width, ceil(H / stride), ceil(W / stride)).
    """

    def __init__(self, stride: int, width: int, kernel: int) -> None:
        super().__init__()
        self.stride = stride
        self.conv = nn.Conv2d(3 * stride**2, width, kernel, padding=kernel // 2)

    def forward(self, estimate_BCHW: Tensor) -> Tensor:
        """Returns the condition at the block's resolution."""
        # 2 y - 1 is in [-1, 1], the range in which the first-party denoiser reads its concatenated condition
        return self.conv(F.pixel_unshuffle(2 * estimate_BCHW - 1, self.stride))  # type: ignore[no-any-return]


def padded(estimate_BCHW: Tensor, multiple: int) -> Tensor:
    """Pads y_eps at its right and lower borders to a multiple of the largest stride.

    Border pixels are repeated, as the denoiser does with its inputs.
    """
    height, width = estimate_BCHW.shape[-2:]
    return F.pad(estimate_BCHW, (0, -width % multiple, 0, -height % multiple), mode="replicate")


def zeroed(*modules: nn.Module) -> None:
    """Sets all weights and biases to zero, so that the layers start by adding nothing."""
    for module in modules:
        for parameter in module.parameters():
            nn.init.zeros_(parameter)


def named(block: str) -> str:
    """Returns a block's path as a key for ``nn.ModuleDict``, whose keys must not contain dots."""
    return block.replace(".", "_")
