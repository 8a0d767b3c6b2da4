"""Cuts a large picture into sections, each of which is restored through all steps before the next one."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from texprior.config.schema import Sampling
from texprior.diffusion.keys import Draw, Key, Normals
from texprior.flow.code import place_of, tokens_at
from texprior.flow.tile import Tile, tiles
from texprior.models.build import Model
from texprior.models.inputs import Inputs

LARGE = 2048
"""A picture with no side above this, px, is one section."""
SECTION = 1024
"""Side of the sections of a larger picture, px, rounded down to tiles. The adapter's features are kept for one."""
SHARED = 256
"""Side of a square with as many pixels as the samples of one network call have together, px.

On a processor, four samples of 64 px in one call take .6 of the time of four calls, of 128 px .64 to .86; at 256 px
nothing is gained."""
MARGIN = 64
"""Least margin that a section sees beyond its border, px: its calls cannot ask the next section for what is there."""


def sections_of(model: Model, settings: Sampling, size: tuple[int, int]) -> list[Tile]:
    """Cuts a picture into sections; an adapter that is not declared local needs features of the whole picture."""
    large = max(size) > LARGE and is_local(model)
    side = settings.tile * max(1, SECTION // settings.tile) if large else max(size)
    grid = grid_of_networks(model)
    return tiles(*size, side, max(settings.halo, -(-MARGIN // grid) * grid))


def grid_of_networks(model: Model) -> int:
    """Returns the px on whose multiples a part must begin, so that denoiser and predictor compute the same there."""
    return math.lcm(model.prior.network.grid(), model.predictor.stride)


def tiles_of(section: Tile, settings: Sampling) -> list[Tile]:
    """Cuts what a section sees into tiles, on the grid that tiles of the whole picture have."""
    rows, columns = section.seen
    return tiles(rows.stop - rows.start, columns.stop - columns.start, settings.tile, settings.halo, inner=section.kept)


class Piece(NamedTuple):
    """A tile of a section, and the tokens of its place, (1, N, width)."""

    tile: Tile
    code: Tensor


def pieces_of(model: Model, section: Tile, settings: Sampling, code: Tensor) -> list[Piece]:
    """Cuts what a section sees into tiles with their tokens; ``code`` is that of the whole picture."""
    place = place_of(model.prior.encoder)

    def at(tile: Tile) -> Tensor:
        inside = zip(tile.seen, section.seen, strict=True)
        return tokens_at(code, place, *(slice(s.start + whole.start, s.stop + whole.start) for s, whole in inside))

    return [Piece(tile, at(tile)) for tile in tiles_of(section, settings)]


def samples_per_call(section: Tile, settings: Sampling) -> int:
    """Returns how many samples the network gets at once: as many as together have the pixels of ``SHARED``, else one.

    What lies in memory is then never more than one sample of a larger picture needs.
    """
    rows, columns = section.seen
    pixels: int = (rows.stop - rows.start) * (columns.stop - columns.start)
    return max(1, SHARED * SHARED // pixels)


def cut_inputs(inputs: Inputs, section: Tile) -> Inputs:
    """Returns what a section sees of the inputs of a whole picture; the code, or its map, stays whole."""
    shown = None if inputs.shown is None else section.cut(inputs.shown)
    estimate, base, condition = map(section.cut, (inputs.estimate, inputs.base, inputs.condition))
    return Inputs(estimate, base, condition, inputs.code, shown)


class SectionNoises:
    """The random numbers of a picture, of which each section gets its part; keys are those of ``normal``."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._shape = shape
        self._drawn: dict[tuple[Key, ...], Normals] = {}

    def of(self, section: Tile) -> Draw:
        """Returns what draws the numbers of a section."""

        def draw(shape: Sequence[int], *key: Key) -> Tensor:
            if key not in self._drawn:
                self._drawn[key] = Normals(self._shape, *key)
            return self._drawn[key].part(*section.seen).view(*shape)

        return draw


def is_local(model: Model) -> bool:
    """Returns whether an adapter's features of a part are those of the whole picture there."""
    record = model.registry.find("adapter", model.experiment.adapter.name).component
    return bool(getattr(record, "local", False))
