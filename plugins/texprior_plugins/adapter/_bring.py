"""How y_eps reaches the resolution of a block: pixel-unshuffled, so that nothing of it is lost, then convolved."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class Bring(nn.Module):
    """Conv(unshuffle(2 y - 1, stride)): (B, 3, H, W) -> (B, width, ceil(H / stride), ceil(W / stride))."""

    def __init__(self, stride: int, width: int, kernel: int) -> None:
        super().__init__()
        self.stride = stride
        self.conv = nn.Conv2d(3 * stride**2, width, kernel, padding=kernel // 2)

    def forward(self, estimate_BCHW: Tensor) -> Tensor:
        """The condition at the block's resolution."""
        return self.conv(F.pixel_unshuffle(2 * estimate_BCHW - 1, self.stride))  # type: ignore[no-any-return]


def padded(estimate_BCHW: Tensor, multiple: int) -> Tensor:
    """y_eps, repeated at its right and lower borders to a multiple of the largest stride, as the denoiser does."""
    height, width = estimate_BCHW.shape[-2:]
    return F.pad(estimate_BCHW, (0, -width % multiple, 0, -height % multiple), mode="replicate")


def zeroed(*modules: nn.Module) -> None:
    """Sets all weights and biases to zero, so that what they feed starts unchanged."""
    for module in modules:
        for parameter in module.parameters():
            nn.init.zeros_(parameter)


def named(block: str) -> str:
    """A block's path as a name within an ``nn.ModuleDict``, where dots are forbidden."""
    return block.replace(".", "_")
