"""Implements NAFNet (Chen et al. 2022) as a denoiser.

The noise level modulates its norms, as in IR-SDE and Refusion (Luo et al. 2023).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from texprior_plugins.denoiser import NafnetOptions
from texprior_plugins.denoiser._pyramid import Pyramid, per_channel
from texprior_plugins.denoiser.unet import ChannelNorm


class Nafnet(Pyramid):
    """NAFNet, conditioned on noise level and code.

    The paper's channel attention averages over the whole picture, which a tile does not see. Here it averages over a
    window around each position, or it is left out if ``window`` is 0.
    """

    closing = "narrow"
    options: NafnetOptions

    def block(self, level: int, width: int, embedding: int, index: int) -> nn.Module:
        """Makes a ``NafBlock``. Its window is as wide in px at every level, as an odd number of positions."""
        window = self.options.window
        return NafBlock(width, embedding, 2 * (window // (2 * self.stride(level))) + 1 if window else 0)


class NafBlock(nn.Module):
    """NAFNet's block: y = h + beta f(h), then y + gamma g(y), with beta and gamma 0 at initialisation.

    - f: normalise, 1x1 convolution to 2C, 3x3 convolution of each channel, SimpleGate, channel attention (if ``side``
      is not 0), 1x1 convolution.
    - g: normalise, 1x1 convolution to 2C, SimpleGate, 1x1 convolution.

    Each normalised map n becomes (1 + scale) n + shift. Scale and shift are linear in SimpleGate of the embedding.
    """

    def __init__(self, width: int, embedding: int, side: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = ChannelNorm(width), ChannelNorm(width)
        self.modulate = nn.Linear(embedding // 2, 4 * width)
        self.expand = nn.Conv2d(width, 2 * width, 1)
        self.filter = nn.Conv2d(2 * width, 2 * width, 3, padding=1, groups=2 * width)
        self.weigh = LocalChannelAttention(width, side) if side else nn.Identity()
        self.project = nn.Conv2d(width, width, 1)
        self.widen, self.narrow = nn.Conv2d(width, 2 * width, 1), nn.Conv2d(width, width, 1)
        self.beta, self.gamma = (nn.Parameter(torch.zeros(width, 1, 1)) for _ in range(2))

    def forward(self, h_BCHW: Tensor, embedding_BE: Tensor) -> Tensor:
        """Returns (B, C, H, W)."""
        scale1, shift1, scale2, shift2 = per_channel(self.modulate(simple_gate(embedding_BE)), 4)
        f = simple_gate(self.filter(self.expand(self.norm1(h_BCHW) * (1 + scale1) + shift1)))
        y: Tensor = h_BCHW + self.beta * self.project(self.weigh(f))
        g = simple_gate(self.widen(self.norm2(y) * (1 + scale2) + shift2))
        out: Tensor = y + self.gamma * self.narrow(g)
        return out


def simple_gate(h: Tensor) -> Tensor:
    """Returns the product of the two halves of the channels, (B, C / 2, ...)."""
    a, b = h.chunk(2, 1)
    return a * b


class LocalChannelAttention(nn.Module):
    """Channel attention over a window: h times W mean(h).

    The mean is over the ``side`` x ``side`` positions around each one, of which only those inside the picture count.
    """

    def __init__(self, width: int, side: int) -> None:
        super().__init__()
        self.map, self.side = nn.Conv2d(width, width, 1), side

    def forward(self, h_BCHW: Tensor) -> Tensor:
        """Returns (B, C, H, W)."""
        side, margin = self.side, self.side // 2
        # columns and then rows: 2 side reads per position instead of side^2
        mean = F.avg_pool2d(h_BCHW, (side, 1), 1, (margin, 0), count_include_pad=False)
        mean = F.avg_pool2d(mean, (1, side), 1, (0, margin), count_include_pad=False)
        return h_BCHW * self.map(mean)  # type: ignore[no-any-return]
