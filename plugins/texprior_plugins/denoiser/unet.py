"""Implements a residual UNet (Ho et al. 2020) on pixel-unshuffled input.

Every operation on space is a convolution, and normalisation acts on the channels of each position. A tile of a
photograph with a wide enough halo is therefore denoised as it is within the whole photograph.
"""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from texprior.errors import ConfigError
from texprior.flow.condition import split_level
from texprior.flow.prior import AttentionBackend, Block, DenoiserNet, Guide, unguided
from texprior_plugins.denoiser import UnetOptions


class Unet(DenoiserNet):
    """The network F(x, c_noise; condition, code).

    Its blocks are ``encoder.0.0``, ..., ``middle.0``, ..., ``decoder.0.1``.
    """

    def __init__(
        self, options: UnetOptions, code_width: int, attention: AttentionBackend, condition_level: bool = False
    ) -> None:
        super().__init__()
        o, self.options, self.code_width, self.attention = options, options, code_width, attention
        widths = [o.width * (level + 1) for level in range(o.levels)]
        embedding = 4 * o.width
        self.embed = Embedding(o.width, embedding, code_width, condition_level)

        # Encoder. The input has 6 channels per pixel: 3 of x and 3 of the concatenated condition.
        self.enter = nn.Conv2d(6 * o.unshuffle**2, widths[0], 3, padding=1)
        self.encoder = nn.ModuleList(
            nn.ModuleList(ResidualBlock(w, w, embedding) for _ in range(o.blocks)) for w in widths
        )
        self.down = nn.ModuleList(nn.Conv2d(a, b, 2, stride=2) for a, b in itertools.pairwise(widths))

        # middle, with the only attention: at the coarsest level it is cheapest
        self.middle = nn.ModuleList(ResidualBlock(widths[-1], widths[-1], embedding) for _ in range(2))
        looks = widths[-1], code_width, o.heads, attention, o.positions
        self.look = CodeAttention(*looks) if code_width else None

        # decoder; the first block of a level also reads the skip connection, so it has twice the channels
        self.up = nn.ModuleList(
            nn.Sequential(nn.Conv2d(b, 4 * a, 1), nn.PixelShuffle(2)) for a, b in itertools.pairwise(widths)
        )
        self.decoder = nn.ModuleList(
            nn.ModuleList(ResidualBlock(w if i else 2 * w, w, embedding) for i in range(o.blocks)) for w in widths
        )
        self.leave = nn.Sequential(ChannelNorm(widths[0]), nn.Conv2d(widths[0], 3 * o.unshuffle**2, 3, padding=1))
        # F starts at 0, so that D starts as c_skip x, the best linear estimate of data with unit variance
        nn.init.zeros_(self.leave[1].weight)
        nn.init.zeros_(self.leave[1].bias)

    def blocks(self) -> dict[str, Block]:
        """Returns every residual block, in the order in which ``forward`` runs them."""
        o = self.options

        def block(level: int, part: str, skip: bool = False) -> Block:
            return Block(o.width * (level + 1), o.unshuffle * 2**level, part, skip, closing="conv2")

        last = o.blocks - 1
        named = {f"encoder.{k}.{i}": block(k, "encoder", i == last) for k in range(o.levels) for i in range(o.blocks)}
        named |= {f"middle.{i}": block(o.levels - 1, "middle") for i in range(2)}
        levels = reversed(range(o.levels))
        return named | {f"decoder.{k}.{i}": block(k, "decoder") for k in levels for i in range(o.blocks)}

    def attentions(self) -> dict[str, tuple[str, ...]]:
        """Returns the attention to the code, if there is one."""
        return {} if self.look is None else {"look": ("look.key_value",)}

    def fresh(self) -> Unet:
        """Returns the same network with initial weights."""
        return Unet(self.options, self.code_width, self.attention, self.embed.level is not None)

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
        # inputs: 2 y - 1 brings the condition from [0, 1] to [-1, 1], about the scale of the normalised x
        height, width = x_BCHW.shape[-2:]
        stride = self.options.unshuffle * 2 ** (self.options.levels - 1)
        picture, told = split_level(condition_BCHW)
        x = _pad(torch.cat([x_BCHW, 2 * picture - 1], 1), stride)
        e = self.embed(noise_B, code_BNC, told)
        h = self.enter(F.pixel_unshuffle(x, self.options.unshuffle))

        # encoder: the guide ``skip`` changes only what goes to the decoder
        skips = []
        for k, level in enumerate(self.encoder):
            h = self.down[k - 1](h) if k else h
            h = _run(level, f"encoder.{k}", h, e, guide)  # type: ignore[arg-type]
            skips.append(skip(f"encoder.{k}.{len(level) - 1}", h))  # type: ignore[arg-type]

        # middle: the attention is between the two blocks, so that the second can use what it read
        h = guide("middle.0", self.middle[0](h, e))
        h = h if self.look is None else self.look(h, code_BNC)
        h = guide("middle.1", self.middle[1](h, e))

        for k in reversed(range(len(skips))):
            h = _run(self.decoder[k], f"decoder.{k}", torch.cat([h, skips[k]], 1), e, guide)  # type: ignore[arg-type]
            h = self.up[k - 1](h) if k else h
        return F.pixel_shuffle(self.leave(h), self.options.unshuffle)[..., :height, :width]


class Embedding(nn.Module):
    """Embedding of the noise level, the mean token of the code, and the level of the condition's noise, (B, width).

    Levels enter as Fourier features (Vaswani et al. 2017). That of the condition is left out, or its embedding is 0 at
    initialisation.
    """

    def __init__(self, features: int, width: int, code_width: int, condition_level: bool = False) -> None:
        super().__init__()
        # From 1 to 1000 per unit of c_noise: low frequencies order the noise levels, high ones separate close levels.
        # The buffer is not stored, since the options determine it.
        self.register_buffer("frequencies", torch.exp(torch.linspace(0, math.log(1000.0), features // 2)), False)
        self.noise = nn.Sequential(nn.Linear(features, width), nn.SiLU(), nn.Linear(width, width))
        self.code = nn.Linear(code_width, width) if code_width else None
        self.level = None
        if condition_level:
            self.level = nn.Sequential(nn.Linear(features, width), nn.SiLU(), nn.Linear(width, width))
            nn.init.zeros_(self.level[2].weight)
            nn.init.zeros_(self.level[2].bias)

    def forward(self, noise_B: Tensor, code_BNC: Tensor, level_B: Tensor | None = None) -> Tensor:
        """Maps c_noise (B,), the code (B, N, C) and the level of the condition's noise (B,) to (B, width)."""
        e: Tensor = self.noise(self._features(noise_B))
        e = e if self.code is None else e + self.code(code_BNC.mean(1))
        return e if self.level is None or level_B is None else e + self.level(self._features(level_B))

    def _features(self, level_B: Tensor) -> Tensor:
        phase = level_B[:, None] * self.frequencies
        return torch.cat([phase.cos(), phase.sin()], 1)


class ResidualBlock(nn.Module):
    """The basic denoising block: h + Conv(act(scale * Norm(Conv(act(Norm h))) + shift)).

    It starts as the identity, or as the 1x1 convolution ``skip`` if its widths differ.
    """

    def __init__(self, width_in: int, width: int, embedding: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = ChannelNorm(width_in), ChannelNorm(width)
        self.conv1, self.conv2 = nn.Conv2d(width_in, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)
        self.modulate = nn.Linear(embedding, 2 * width)
        self.skip = nn.Conv2d(width_in, width, 1) if width_in != width else nn.Identity()
        # the residual branch starts at 0: a deep stack of blocks then passes activations and gradients unchanged
        nn.init.zeros_(self.conv2.weight)
        nn.init.zeros_(self.conv2.bias)

    def forward(self, h_BCHW: Tensor, embedding_BE: Tensor) -> Tensor:
        """Returns (B, width, H, W)."""
        scale, shift = self.modulate(F.silu(embedding_BE))[..., None, None].chunk(2, 1)
        h = self.conv1(F.silu(self.norm1(h_BCHW)))
        out: Tensor = self.skip(h_BCHW) + self.conv2(F.silu(self.norm2(h) * (1 + scale) + shift))
        return out


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


class CodeAttention(nn.Module):
    """Attention of every position to the tokens of the semantic code.

    It starts as the identity. Positions do not attend to each other, so that tiles agree with the whole picture. With
    ``positions``, queries and keys know where they are, see ``sines``; the tokens are then a square grid in rows.
    """

    def __init__(
        self, width: int, code_width: int, heads: int, attention: AttentionBackend, positions: bool = False
    ) -> None:
        super().__init__()
        self.heads, self.attention, self.positions = heads, attention, positions
        self.norm, self.code_norm = ChannelNorm(width), nn.LayerNorm(code_width)
        self.query, self.out = nn.Conv2d(width, width, 1), nn.Conv2d(width, width, 1)
        self.key_value = nn.Linear(code_width, 2 * width)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, h_BCHW: Tensor, code_BNC: Tensor) -> Tensor:
        """Returns (B, C, H, W)."""
        b, c, height, width = h_BCHW.shape
        q = self.query(self.norm(h_BCHW)).flatten(2).mT
        k, v = self.key_value(self.code_norm(code_BNC)).chunk(2, -1)
        q, k, v = (t.reshape(b, -1, self.heads, c // self.heads).transpose(1, 2) for t in (q, k, v))
        if self.positions:
            side = _side(code_BNC)
            q, k = q + sines(q, height, width, side), k + sines(k, side, side, side)
        seen = self.attention(q, k, v).transpose(1, 2).reshape(b, height * width, c)
        looked: Tensor = self.out(seen.mT.reshape(b, c, height, width))
        return h_BCHW + looked


def sines(like_BHND: Tensor, height: int, width: int, side: int) -> Tensor:
    """Returns fixed positions of a grid of cells over the picture, (height * width, D), in rows.

    They are sines and cosines of both coordinates (Vaswani et al. 2017, section 3.5, in 2-D). The frequencies go from a
    fourth of a turn over the picture to one over a token of a grid of ``side`` x ``side``. So the product
    of two positions is largest if they are equal, and neighbouring tokens differ. D is the width of a head; what is
    left of it by 4 is zero.
    """
    count = like_BHND.shape[-1] // 4
    turns = torch.linspace(0, math.log(side), count, device=like_BHND.device).exp() * (math.pi / 2)

    def waves(length: int) -> Tensor:
        centres = (torch.arange(length, device=like_BHND.device) + 0.5) / length
        phase = centres[:, None] * turns
        return torch.cat([phase.sin(), phase.cos()], 1)

    rows, columns = waves(height)[:, None], waves(width)[None]
    both = torch.cat([rows.expand(-1, width, -1), columns.expand(height, -1, -1)], 2).flatten(0, 1)
    return F.pad(both, (0, like_BHND.shape[-1] - 4 * count)).to(like_BHND.dtype)


def _side(code_BNC: Tensor) -> int:
    tokens = code_BNC.shape[1]
    side = math.isqrt(tokens)
    if side**2 != tokens:
        raise ConfigError(f"denoiser.unet.positions: a code of {tokens} tokens is no square grid; set it to false")
    return side


def _run(level: nn.ModuleList, name: str, h: Tensor, embedding: Tensor, guide: Guide) -> Tensor:
    for i, block in enumerate(level):
        h = guide(f"{name}.{i}", block(h, embedding))
    return h


def _pad(x_BCHW: Tensor, multiple: int) -> Tensor:
    height, width = x_BCHW.shape[-2:]
    return F.pad(x_BCHW, (0, -width % multiple, 0, -height % multiple), mode="replicate")
