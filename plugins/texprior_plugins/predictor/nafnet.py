"""Implements NAFNet (Chen et al. 2022) with local channel attention, on pixel-unshuffled input."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from texprior.flow.predict import InitialPredictor
from texprior_plugins.predictor import NafnetOptions
from texprior_plugins.predictor._loss import distance


class Nafnet(InitialPredictor):
    """NAFNet as a UNet of ``NafBlock``.

    The network computes y_eps = y_d + f(y_d), with f zero at initialisation.

    The width doubles at each level. The paper's channel attention averages over the whole picture, which a tile does
    not see. Here it averages over a window around each position, both in training and in use. Chu et al. 2022 do this
    in use only. A tile with a halo is therefore predicted as within the whole, except for the effect of pixels outside
    its halo.
    """

    def __init__(self, options: NafnetOptions) -> None:
        super().__init__()
        o, self.options = options, options
        widths = [o.width * 2**level for level in range(o.levels)]
        self.stride = o.unshuffle * 2 ** (o.levels - 1)

        def blocks(level: int) -> nn.Sequential:
            # the same window in px at every level, as an odd number of positions
            side = 2 * (o.window // (2 * o.unshuffle * 2**level)) + 1
            return nn.Sequential(*(NafBlock(widths[level], side) for _ in range(o.blocks)))

        self.enter = nn.Conv2d(3 * o.unshuffle**2, widths[0], 3, padding=1)
        self.encoder = nn.ModuleList(blocks(level) for level in range(o.levels))
        pairs = list(pairwise(widths))
        self.down = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in pairs)
        self.up = nn.ModuleList(nn.Sequential(nn.Conv2d(b, 4 * a, 1, bias=False), nn.PixelShuffle(2)) for a, b in pairs)
        # the coarsest level has one set of blocks only, the last of the encoder
        self.decoder = nn.ModuleList(blocks(level) for level in range(o.levels - 1))
        self.leave = nn.Conv2d(widths[0], 3 * o.unshuffle**2, 3, padding=1)
        # f starts at 0, so that the first estimate is the degraded picture
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, degraded_BCHW: Tensor) -> Tensor:
        """Returns the estimate, (B, 3, H, W), of any size."""
        height, width = degraded_BCHW.shape[-2:]
        x = F.pad(degraded_BCHW, (0, -width % self.stride, 0, -height % self.stride), mode="replicate")
        # 2 x - 1 brings pixels from [0, 1] to [-1, 1], so that inputs are centred on 0
        h = self.encoder[0](self.enter(F.pixel_unshuffle(2 * x - 1, self.options.unshuffle)))
        skips = [h]
        for down, encoder in zip(self.down, self.encoder[1:], strict=True):  # type: ignore[arg-type]
            h = encoder(down(h))
            skips.append(h)
        for k in reversed(range(len(self.decoder))):
            h = self.decoder[k](self.up[k](h) + skips[k])
        return degraded_BCHW + F.pixel_shuffle(self.leave(h), self.options.unshuffle)[..., :height, :width]

    def loss(self, estimate_BCHW: Tensor, clean_BCHW: Tensor) -> Tensor:
        """Returns the distance to the clean picture per image, (B,)."""
        return distance(estimate_BCHW, clean_BCHW, self.options)


class NafBlock(nn.Module):
    """NAFNet's block (Chen et al. 2022).

    It computes y = h + beta f(h), then y + gamma g(y). beta and gamma are 0 at initialisation.

    - f: normalise, 1x1 convolution to 2C, 3x3 convolution of each channel, SimpleGate, channel attention, 1x1
      convolution.
    - g: normalise, 1x1 convolution to 2C, SimpleGate, 1x1 convolution.
    """

    def __init__(self, width: int, window: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = ChannelNorm(width), ChannelNorm(width)
        self.expand = nn.Conv2d(width, 2 * width, 1)
        self.filter = nn.Conv2d(2 * width, 2 * width, 3, padding=1, groups=2 * width)
        self.attention = LocalChannelAttention(width, window)
        self.project = nn.Conv2d(width, width, 1)
        self.widen, self.narrow = nn.Conv2d(width, 2 * width, 1), nn.Conv2d(width, width, 1)
        self.beta, self.gamma = (nn.Parameter(torch.zeros(width, 1, 1)) for _ in range(2))

    def forward(self, h_BCHW: Tensor) -> Tensor:
        """Returns (B, C, H, W)."""
        f = simple_gate(self.filter(self.expand(self.norm1(h_BCHW))))
        y: Tensor = h_BCHW + self.beta * self.project(self.attention(f))
        out: Tensor = y + self.gamma * self.narrow(simple_gate(self.widen(self.norm2(y))))
        return out


def simple_gate(h_BCHW: Tensor) -> Tensor:
    """Returns the product of the two halves of the channels.

    The result is (B, C / 2, H, W).
    """
    a, b = h_BCHW.chunk(2, 1)
    return a * b


class LocalChannelAttention(nn.Module):
    """Channel attention over a window: h times W mean(h).

    The mean is over a window of side x side positions, cut at the borders of the picture.
    """

    def __init__(self, width: int, side: int) -> None:
        super().__init__()
        self.weigh = nn.Conv2d(width, width, 1)
        self.side = side

    def forward(self, h_BCHW: Tensor) -> Tensor:
        """Returns (B, C, H, W)."""
        weighed: Tensor = h_BCHW * self.weigh(window_mean(h_BCHW, self.side))
        return weighed


def window_mean(h_BCHW: Tensor, side: int) -> Tensor:
    """Returns the mean over the odd window around each position, (B, C, H, W).

    Only positions inside the picture count.
    """
    # Two passes, columns and then rows: this costs 2 side reads per position instead of side^2. The means agree,
    # because the part of a window inside the picture is a rectangle.
    rows = F.avg_pool2d(h_BCHW, (side, 1), 1, (side // 2, 0), count_include_pad=False)
    return F.avg_pool2d(rows, (1, side), 1, (0, side // 2), count_include_pad=False)


class ChannelNorm(nn.Module):
    """Layer normalisation over the channels of each position.

    Its result does not depend on other positions, so that a tile is normalised as the whole picture is.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))

    def forward(self, h_BCHW: Tensor) -> Tensor:
        """Returns (B, C, H, W)."""
        # 1e-6 only keeps the division finite if all channels of a position are equal
        h = F.layer_norm(h_BCHW.permute(0, 2, 3, 1), self.weight.shape, self.weight, self.bias, 1e-6)
        return h.permute(0, 3, 1, 2)
