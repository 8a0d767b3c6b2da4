"""Cuts pictures of any size into tiles.

Tiles are computed with a halo and kept without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

Part = Callable[[slice, slice], Tensor]
"""Returns the part of pictures that lies in (rows, columns), (B, C, h, w)."""


class Tile(NamedTuple):
    """A tile of a picture; each field is (rows, columns).

    ``seen`` is the part of the picture that is computed, with the halo. ``kept`` is the part of the result without the
    halo, and ``place`` is its place in the picture.
    """

    seen: tuple[slice, slice]
    kept: tuple[slice, slice]
    place: tuple[slice, slice]

    def cut(self, image_BCHW: Tensor) -> Tensor:
        """Returns the part of the picture that is computed."""
        return image_BCHW[..., self.seen[0], self.seen[1]]

    def put(self, picture_BCHW: Tensor, result_BCHW: Tensor) -> None:
        """Writes the kept part of a result to its place in the picture."""
        picture_BCHW[..., self.place[0], self.place[1]] = result_BCHW[..., self.kept[0], self.kept[1]]


def tiles(
    height: int, width: int, side: int, halo: int, inner: tuple[slice, slice] = (slice(None), slice(None))
) -> list[Tile]:
    """Returns tiles of ``side`` px that see ``halo`` px beyond their border.

    A picture that is not larger than ``side`` is one tile. Both numbers must be multiples of every network's stride, so
    that a tile's grid is the whole picture's. The grid is that of ``inner``, (rows, columns); the outermost tiles
    reach from there to the border of the picture.
    """
    rows, columns = inner
    return [
        Tile((r.seen, c.seen), (r.kept, c.kept), (r.place, c.place))
        for r in _spans(height, side, halo, rows)
        for c in _spans(width, side, halo, columns)
    ]


class _Span(NamedTuple):
    seen: slice
    kept: slice
    place: slice


def _spans(length: int, side: int, halo: int, inner: slice) -> Iterator[_Span]:
    first, last, _ = inner.indices(length)
    for corner in range(first, last, side):
        start = corner if corner > first else 0
        end = corner + side if corner + side < last else length
        # no halo outside the picture: there the network must see the same border as in the whole picture
        low, high = max(0, start - halo), min(length, end + halo)
        yield _Span(slice(low, high), slice(start - low, end - low), slice(start, end))


def in_tiles(function: Callable[[Tensor], Tensor], image_BCHW: Tensor, side: int, halo: int) -> Tensor:
    """Computes a function of a picture tile by tile; the result has the picture's shape."""
    result = torch.empty_like(image_BCHW)
    height, width = image_BCHW.shape[-2:]
    for tile in tiles(height, width, side, halo):
        tile.put(result, function(tile.cut(image_BCHW)))
    return result
