"""Implements a transformer of shifted windows (Liu et al. 2021) as a denoiser.

The noise level enters by adaLN-Zero (Peebles & Xie 2023), and its MLP has a depthwise convolution (Wang et al. 2022,
Uformer's LeFF). Queries and keys are rotated by their place in the window (Su et al. 2021; Heo et al. 2024).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from texprior.flow.prior import AttentionBackend
from texprior_plugins.denoiser import WindowTransformerOptions
from texprior_plugins.denoiser._pyramid import Pyramid, per_channel
from texprior_plugins.denoiser.unet import ChannelNorm


class WindowTransformer(Pyramid):
    """Transformer whose positions attend to their window.

    Windows begin at the picture's corner, and those of every second block half a window before it. A tile has the
    windows of the whole picture if it begins at a multiple of ``grid``, the side of the coarsest windows.
    """

    closing = "narrow"
    options: WindowTransformerOptions

    def block(self, level: int, width: int, embedding: int, index: int) -> nn.Module:
        """Makes a ``WindowBlock``. The windows of every second block are shifted."""
        o = self.options
        windows = Windows(o.window, shift=o.window // 2 if index % 2 else 0)
        return WindowBlock(width, embedding, width // o.head_width, windows, o.expansion, self.attention)

    def grid(self) -> int:
        """Returns the side of the coarsest windows, px."""
        return self.options.window * self.stride(self.options.levels - 1)

    def attentions(self) -> dict[str, tuple[str, ...]]:
        """Returns the attention of every block, and that to the code."""
        within = {f"{name}.attend": (f"{name}.attend.key_value",) for name in self.blocks()}
        return within | super().attentions()


class WindowBlock(nn.Module):
    """The block of a transformer: y = h + gate1 attend(n(h)), then y + gate2 mlp(n(y)).

    Each normalised map n becomes (1 + scale) n + shift. Scales, shifts and gates are linear in SiLU of the embedding.
    They start at 0, and so the block starts as the identity (adaLN-Zero).
    """

    def __init__(
        self, width: int, embedding: int, heads: int, windows: Windows, expansion: int, attention: AttentionBackend
    ) -> None:
        super().__init__()
        self.norm1, self.norm2 = ChannelNorm(width), ChannelNorm(width)
        self.modulate = nn.Linear(embedding, 6 * width)
        self.attend = WindowAttention(width, heads, windows, attention)
        hidden = expansion * width
        self.widen, self.narrow = nn.Conv2d(width, hidden, 1), nn.Conv2d(hidden, width, 1)
        self.filter = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        nn.init.zeros_(self.modulate.weight)
        nn.init.zeros_(self.modulate.bias)

    def forward(self, h_BCHW: Tensor, embedding_BE: Tensor) -> Tensor:
        """Returns (B, C, H, W)."""
        scale1, shift1, gate1, scale2, shift2, gate2 = per_channel(self.modulate(F.silu(embedding_BE)), 6)
        y: Tensor = h_BCHW + gate1 * self.attend(self.norm1(h_BCHW) * (1 + scale1) + shift1)
        hidden = self.widen(self.norm2(y) * (1 + scale2) + shift2)
        out: Tensor = y + gate2 * self.narrow(F.gelu(self.filter(F.gelu(hidden))))
        return out


class WindowAttention(nn.Module):
    """Attention of every position to the positions of its window.

    Windows are cut at the border of the picture as convolutions are: positions outside have keys and values of 0.
    """

    def __init__(self, width: int, heads: int, windows: Windows, attention: AttentionBackend) -> None:
        super().__init__()
        self.heads, self.windows, self.attention = heads, windows, attention
        self.query, self.key_value = nn.Conv2d(width, width, 1), nn.Conv2d(width, 2 * width, 1)
        self.out = nn.Conv2d(width, width, 1)
        cosine, sine = rotation(windows.side, width // heads)
        # not stored, since the options determine them
        self.register_buffer("cosine", cosine, False)
        self.register_buffer("sine", sine, False)

    def forward(self, h_BCHW: Tensor) -> Tensor:
        """Returns (B, C, H, W)."""
        q, (k, v) = self.query(h_BCHW), self.key_value(h_BCHW).chunk(2, 1)
        q, k, v = (self.windows.cut(t, self.heads) for t in (q, k, v))
        seen = self.attention(self._rotated(q), self._rotated(k), v)
        out: Tensor = self.out(self.windows.join(seen, h_BCHW.shape))
        return out

    def _rotated(self, tokens_WHND: Tensor) -> Tensor:
        # in the dtype of the tokens, so that backends get queries, keys and values of one dtype under autocast
        cosine, sine = self.cosine.to(tokens_WHND.dtype), self.sine.to(tokens_WHND.dtype)
        a, b = tokens_WHND.chunk(2, -1)
        return torch.cat([a * cosine - b * sine, b * cosine + a * sine], -1)


class Windows:
    """Cuts maps into windows of ``side`` x ``side`` positions, of which the first begin ``shift`` before the map."""

    def __init__(self, side: int, shift: int) -> None:
        self.side, self.shift = side, shift

    def cut(self, map_BCHW: Tensor, heads: int) -> Tensor:
        """Returns the tokens of every window, (B * windows, heads, side^2, C / heads); 0 outside the map."""
        b, c, height, width = map_BCHW.shape
        s, first = self.side, self.shift
        padded = F.pad(map_BCHW, (first, -(width + first) % s, first, -(height + first) % s))
        rows, columns = padded.shape[-2] // s, padded.shape[-1] // s
        parts = padded.view(b, heads, c // heads, rows, s, columns, s)
        return parts.permute(0, 3, 5, 1, 4, 6, 2).reshape(b * rows * columns, heads, s * s, c // heads)

    def join(self, tokens_WHND: Tensor, shape: torch.Size) -> Tensor:
        """Returns the map (B, C, H, W) of windows that ``cut`` made of a map of this shape."""
        b, c, height, width = shape
        s, first = self.side, self.shift
        rows, columns = -(-(height + first) // s), -(-(width + first) // s)
        parts = tokens_WHND.reshape(b, rows, columns, -1, s, s, tokens_WHND.shape[-1])
        # through a map with its channels last in memory: convolutions keep this layout
        joined = parts.permute(0, 1, 4, 2, 5, 3, 6).reshape(b, rows * s, columns * s, c).permute(0, 3, 1, 2)
        return joined[..., first : first + height, first : first + width]


def rotation(side: int, channels: int) -> tuple[Tensor, Tensor]:
    """Returns cosine and sine of the angle of each pair of channels at each place of a window, (side^2, channels / 2).

    The first half of the pairs turns with the row and the second with the column, at 1 to 1/100 radian per position.
    """
    per_axis = channels // 4
    speeds = 100.0 ** -(torch.arange(per_axis) / per_axis)
    turns = torch.arange(side)[:, None] * speeds
    angles = torch.cat([turns.repeat_interleave(side, 0), turns.repeat(side, 1)], 1)
    return angles.cos(), angles.sin()
