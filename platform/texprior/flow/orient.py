"""Lays a picture in each of the eight orientations of a square's symmetries, for self-ensembles.

A restoration in several orientations, each turned back, and their mean: Timofte et al. 2016, "Seven ways to improve
example-based single image super resolution", section 3.2.
"""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from texprior.flow.tile import Part, Tile


class Orientation(NamedTuple):
    """One of the eight orientations: a picture is transposed or not, then mirrored or not along both axes."""

    transposed: bool = False
    upside_down: bool = False
    mirrored: bool = False

    def lay(self, picture: Tensor) -> Tensor:
        """Lays upright pictures, (..., H, W), in this orientation; the result is (..., H, W) or (..., W, H)."""
        laid = picture.mT if self.transposed else picture
        return laid.flip(self._flipped()) if self._flipped() else laid

    def back(self, laid: Tensor) -> Tensor:
        """Turns pictures of this orientation upright again; the inverse of ``lay``."""
        upright = laid.flip(self._flipped()) if self._flipped() else laid
        return upright.mT if self.transposed else upright

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Returns the height and width that an upright picture has in this orientation, px."""
        return (width, height) if self.transposed else (height, width)

    def place(self, rows: slice, columns: slice, size: tuple[int, int]) -> tuple[slice, slice]:
        """Returns where a part, (rows, columns), of an upright picture of ``size`` lies in this orientation."""
        sides = [(rows, size[0]), (columns, size[1])]
        (r, height), (c, width) = reversed(sides) if self.transposed else sides
        return (_mirrored(r, height) if self.upside_down else r), (_mirrored(c, width) if self.mirrored else c)

    def inverse(self) -> Orientation:
        """Returns the orientation that turns this one upright again."""
        return Orientation(self.transposed, self.mirrored, self.upside_down) if self.transposed else self

    def part(self, part: Part, size: tuple[int, int]) -> Part:
        """Returns a reader of parts of the laid picture; ``part`` reads those of the upright one, of ``size``."""
        inverse, laid = self.inverse(), self.size(*size)

        def read(rows: slice, columns: slice) -> Tensor:
            return self.lay(part(*inverse.place(rows, columns, laid)))

        return read

    def tile(self, tile: Tile, size: tuple[int, int], grid: int) -> Tile:
        """Returns a tile in this orientation that holds a tile of an upright picture of ``size``.

        It begins on the ``grid`` of the networks in the laid picture, px, and so may be a little larger.
        """
        seen, place = (_from_grid(self.place(*part, size), grid) for part in (tile.seen, tile.place))
        kept = tuple(slice(p.start - s.start, p.stop - s.start) for p, s in zip(place, seen, strict=True))
        return Tile(seen, (kept[0], kept[1]), place)

    def _flipped(self) -> list[int]:
        return [-2] * self.upside_down + [-1] * self.mirrored


ORIENTATIONS = tuple(
    Orientation(transposed, upside_down, mirrored)
    for transposed in (False, True)
    for upside_down in (False, True)
    for mirrored in (False, True)
)
"""All eight, so that the first 2 differ by a mirror, and the first 4 keep what is upright and what lies."""


def _mirrored(part: slice, length: int) -> slice:
    return slice(length - part.stop, length - part.start)


def _from_grid(parts: tuple[slice, slice], grid: int) -> tuple[slice, slice]:
    """Lets both parts begin on the grid, at or before where they begin."""
    rows, columns = (slice(part.start // grid * grid, part.stop) for part in parts)
    return rows, columns
