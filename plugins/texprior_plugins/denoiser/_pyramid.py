"""Makes a denoiser of blocks at several resolutions: encoder, middle and decoder, with additive skip connections."""

from __future__ import annotations

import itertools
from abc import abstractmethod
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from texprior.flow.condition import split_level
from texprior.flow.prior import AttentionBackend, Block, DenoiserNet, Guide, unguided
from texprior_plugins.denoiser import PyramidOptions
from texprior_plugins.denoiser.unet import ChannelNorm, CodeAttention, Embedding


class Pyramid(DenoiserNet):
    """The network F(x, c_noise; condition, code) on pixel-unshuffled input.

    Its blocks are ``encoder.0.0``, ..., ``middle.0``, ..., ``decoder.0.0``; each is called with h and the embedding of
    noise level and code. Level k has 2^k times the channels of the finest one; the middle is the coarsest level. A new
    network's output is zero.
    """

    closing: str
    """The layer that ends the residual branch of a block."""

    def __init__(
        self, options: PyramidOptions, code_width: int, attention: AttentionBackend, condition_level: bool = False
    ) -> None:
        super().__init__()
        o, self.options, self.code_width, self.attention = options, options, code_width, attention
        widths = [o.width * 2**level for level in range(o.levels)]
        pairs, coarsest = list(itertools.pairwise(widths)), widths[-1]
        self.embed = Embedding(o.width, coarsest, code_width, condition_level)

        def run(level: int, count: int) -> nn.ModuleList:
            return nn.ModuleList(self.block(level, widths[level], coarsest, i) for i in range(count))

        # the input has 6 channels per pixel: 3 of x and 3 of the concatenated condition
        self.enter = nn.Conv2d(6 * o.unshuffle**2, o.width, 3, padding=1)
        self.encoder = nn.ModuleList(run(level, o.blocks) for level in range(o.levels - 1))
        self.down = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in pairs)
        heads = coarsest // o.head_width
        self.look = CodeAttention(coarsest, code_width, heads, attention) if code_width else None
        self.middle = run(o.levels - 1, o.middle)
        self.up = nn.ModuleList(nn.Sequential(nn.Conv2d(b, 4 * a, 1), nn.PixelShuffle(2)) for a, b in pairs)
        self.decoder = nn.ModuleList(run(level, o.blocks) for level in range(o.levels - 1))
        self.leave = nn.Sequential(ChannelNorm(o.width), nn.Conv2d(o.width, 3 * o.unshuffle**2, 3, padding=1))
        # F starts at 0, so that D starts as c_skip x, the best linear estimate of data with unit variance
        nn.init.zeros_(self.leave[1].weight)
        nn.init.zeros_(self.leave[1].bias)

    @abstractmethod
    def block(self, level: int, width: int, embedding: int, index: int) -> nn.Module:
        """Makes a block (h (B, width, H, W), embedding (B, embedding)) -> (B, width, H, W) of a level."""

    def stride(self, level: int) -> int:
        """Returns the stride of a level, px."""
        return self.options.unshuffle * 2**level  # type: ignore[no-any-return]

    def blocks(self) -> dict[str, Block]:
        """Returns every block, in the order in which ``forward`` runs them."""
        o = self.options

        def run(name: str, level: int, part: str, count: int, last_skips: bool = False) -> dict[str, Block]:
            declared = Block(o.width * 2**level, self.stride(level), part, closing=self.closing)
            last = declared._replace(skip=last_skips)
            return {f"{name}.{i}": last if i == count - 1 else declared for i in range(count)}

        levels, found = range(o.levels - 1), dict[str, Block]()
        for k in levels:
            found |= run(f"encoder.{k}", k, "encoder", o.blocks, last_skips=True)
        found |= run("middle", o.levels - 1, "middle", o.middle)
        for k in reversed(levels):
            found |= run(f"decoder.{k}", k, "decoder", o.blocks)
        return found

    def attentions(self) -> dict[str, tuple[str, ...]]:
        """Returns the attention to the code, if there is one."""
        return {} if self.look is None else {"look": ("look.key_value",)}

    def fresh(self) -> Self:
        """Returns the same network with initial weights."""
        return type(self)(self.options, self.code_width, self.attention, self.embed.level is not None)

    def forward(
        self,
        x_BCHW: Tensor,
        noise_B: Tensor,
        condition_BCHW: Tensor,
        code_BNC: Tensor,
        guide: Guide = unguided,
        skip: Guide = unguided,
    ) -> Tensor:
        """Returns F, (B, 3, H, W).

        Pads the picture to a multiple of the coarsest stride and removes the padding again.
        """
        # 2 y - 1 brings the condition from [0, 1] to [-1, 1], about the scale of the normalised x
        height, width = x_BCHW.shape[-2:]
        stride = self.stride(self.options.levels - 1)
        picture, told = split_level(condition_BCHW)
        x = torch.cat([x_BCHW, 2 * picture - 1], 1)
        x = F.pad(x, (0, -width % stride, 0, -height % stride), mode="replicate")
        e = self.embed(noise_B, code_BNC, told)
        h = self.enter(F.pixel_unshuffle(x, self.options.unshuffle))

        # encoder: the guide ``skip`` changes only what goes to the decoder
        skips = []
        for k, level in enumerate(self.encoder):
            h = _run(level, f"encoder.{k}", h, e, guide)  # type: ignore[arg-type]
            skips.append(skip(f"encoder.{k}.{len(level) - 1}", h))  # type: ignore[arg-type]
            h = self.down[k](h)

        # middle: all its blocks can use what the attention read of the code
        h = h if self.look is None else self.look(h, code_BNC)
        h = _run(self.middle, "middle", h, e, guide)

        for k in reversed(range(len(skips))):
            h = self.up[k](h) + skips[k]
            h = _run(self.decoder[k], f"decoder.{k}", h, e, guide)  # type: ignore[arg-type]
        return F.pixel_shuffle(self.leave(h), self.options.unshuffle)[..., :height, :width]


def _run(level: nn.ModuleList, name: str, h: Tensor, embedding: Tensor, guide: Guide) -> Tensor:
    for i, block in enumerate(level):
        h = guide(f"{name}.{i}", block(h, embedding))
    return h


def per_channel(modulation_BM: Tensor, parts: int) -> tuple[Tensor, ...]:
    """Cuts (B, parts * C) into tensors (B, C, 1, 1), which modulate maps of C channels."""
    return modulation_BM[..., None, None].chunk(parts, 1)
