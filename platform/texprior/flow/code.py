"""Gives each part of a picture the tokens of its own place, if net S declares a map."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from texprior.flow.contract import refuse
from texprior.flow.precision import full_float32
from texprior.flow.prior import SemanticEncoder


@dataclass(frozen=True)
class Place:
    """How the map of net S becomes the tokens of a part of the picture."""

    stride: int
    """Pixels of the picture per position of the map."""
    side: int
    """Tokens per side of a part."""

    def grid(self, map_BCHW: Tensor, rows: slice, columns: slice) -> Tensor:
        """Returns the tokens of a part as a grid, (B, C, side, side), float32.

        A token is the mean of the map over its share of the part, in px: positions at its border count by what lies
        inside (Jiang et al. 2018, eq. 3, for a map that is constant between its positions). So a part may begin
        anywhere. ``rows`` and ``columns`` are px of the picture.
        """
        (top, down), (left, across) = (
            self._shares(part, length, map_BCHW)
            for part, length in zip((rows, columns), map_BCHW.shape[-2:], strict=True)
        )
        near = map_BCHW[..., top, left].float()
        with full_float32():
            found: Tensor = down @ near @ across.mT
        return found

    def _shares(self, part: slice, length: int, like: Tensor) -> tuple[slice, Tensor]:
        """Returns the positions that a part covers, and the share that each has in each token, (side, positions)."""
        first, last = part.start // self.stride, min(length, -(-part.stop // self.stride))
        edges = torch.linspace(part.start, part.stop, self.side + 1, dtype=torch.float64)[:, None]
        begin = torch.arange(first, last, dtype=torch.float64) * self.stride
        inside = torch.minimum(edges[1:], begin + self.stride) - torch.maximum(edges[:-1], begin)
        inside = inside.clamp(min=0)
        return slice(first, last), (inside / inside.sum(1, keepdim=True)).to(like.device, torch.float32)


def place_of(encoder: SemanticEncoder) -> Place | None:
    """Returns how the encoder's map becomes tokens; None if its code is that of the whole picture.

    Raises ContractError if the tokens of an encoder with a map make no square.
    """
    if not encoder.map_stride:
        return None
    side = math.isqrt(encoder.tokens)
    if side < 1 or side**2 != encoder.tokens:
        refuse(encoder, f"it has a map and {encoder.tokens} tokens", "a square number of tokens, such as 16")
    return Place(encoder.map_stride, side)


def in_rows(grid_BCHW: Tensor) -> Tensor:
    """Returns a grid of tokens, (B, C, side, side), as tokens in row-major order, (B, side * side, C)."""
    return grid_BCHW.flatten(2).mT


def tokens_at(code: Tensor, place: Place | None, rows: slice, columns: slice) -> Tensor:
    """Returns the tokens of a part of pictures, (B, N, width); a code without a place is that of every part."""
    return code if place is None else in_rows(place.grid(code, rows, columns))


def fitted(code: Tensor, like: Tensor) -> Tensor:
    """Returns a code in the place of another one: a map is averaged, or repeated, to the size of the other map."""
    if code.shape == like.shape or code.ndim != 4:
        return code
    return F.adaptive_avg_pool2d(code, (like.shape[-2], like.shape[-1]))
