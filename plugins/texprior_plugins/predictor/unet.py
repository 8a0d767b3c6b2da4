"""Predicts what to add to the degraded picture.

The network is a compact residual UNet (Ronneberger et al. 2015).
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from texprior.flow.predict import InitialPredictor
from texprior_plugins.predictor import UnetOptions
from texprior_plugins.predictor._loss import distance


class Unet(InitialPredictor):
    """Compact residual UNet: y_eps = y_d + f(y_d), with f zero at initialisation.

    It has convolutions only, so that tiles agree with the whole picture.
    """

    def __init__(self, options: UnetOptions) -> None:
        super().__init__()
        o, self.options = options, options
        self.stride = o.unshuffle * 2 ** (o.levels - 1)
        widths = [o.width * (level + 1) for level in range(o.levels)]
        self.stride = o.unshuffle * 2 ** (o.levels - 1)
        self.enter = nn.Conv2d(3 * o.unshuffle**2, widths[0], 3, padding=1)
        self.encoder = nn.ModuleList(nn.Sequential(*(Residual(w) for _ in range(o.blocks))) for w in widths)
        pairs = list(itertools.pairwise(widths))
        self.down = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in pairs)
        self.up = nn.ModuleList(nn.Sequential(nn.Conv2d(b, 4 * a, 1), nn.PixelShuffle(2)) for a, b in pairs)
        # the coarsest level has one set of blocks only, the last of the encoder
        self.decoder = nn.ModuleList(nn.Sequential(*(Residual(w) for _ in range(o.blocks))) for w in widths[:-1])
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


class Residual(nn.Module):
    """Residual block: h + Conv(SiLU(Conv(h)))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)
        # a small branch keeps each block near the identity, so that activations do not grow with the number of blocks
        with torch.no_grad():
            self.conv2.weight.mul_(0.1)

    def forward(self, h_BCHW: Tensor) -> Tensor:
        """Returns (B, width, H, W)."""
        out: Tensor = h_BCHW + self.conv2(F.silu(self.conv1(h_BCHW)))
        return out
