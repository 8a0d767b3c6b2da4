"""Gives each section of a picture what it is restored from, in one of the picture's orientations."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from texprior.diffusion.keys import Draw
from texprior.flow.code import place_of
from texprior.flow.orient import Orientation
from texprior.flow.tile import Part, Tile
from texprior.models.build import Model
from texprior.models.inputs import Inputs, PartwiseInputs, inputs_of
from texprior.models.sections import SectionNoises, cut_inputs, grid_of_networks


@dataclass(frozen=True)
class View:
    """A picture in one orientation. All tiles and pictures are of this orientation unless said."""

    orientation: Orientation
    size: tuple[int, int]
    """Height and width of the upright picture, px."""
    grid: int
    partwise: PartwiseInputs
    whole: Inputs | None
    """Inputs of the whole picture; None if those of each section are derived for themselves."""
    code: Tensor
    noises: SectionNoises

    def tile(self, section: Tile) -> Tile:
        """Returns the tile that holds a section of the upright picture."""
        return section if self.orientation == Orientation() else self.orientation.tile(section, self.size, self.grid)

    def of(self, tile: Tile) -> tuple[Tensor, Inputs, Draw]:
        """Returns the degraded picture of what a tile sees, its inputs, and what draws its noise."""
        given = self.partwise.of(tile.seen, self.code) if self.whole is None else cut_inputs(self.whole, tile)
        return self.partwise.part(*tile.seen), given, self.noises.of(tile)

    def upright(self, result: Tensor, tile: Tile, section: Tile) -> Tensor:
        """Turns the result of a tile upright, and cuts the section from it."""
        inverse = self.orientation.inverse()
        found = inverse.place(*tile.place, self.orientation.size(*self.size))
        rows, columns = (slice(s.start - f.start, s.stop - f.start) for s, f in zip(section.place, found, strict=True))
        return self.orientation.back(result)[..., rows, columns]


def view_of(
    model: Model, part: Part, size: tuple[int, int], orientation: Orientation, inputs: Inputs | None, in_parts: bool
) -> View:
    """Lays a picture of ``size`` that is read by ``part`` in an orientation.

    ``inputs`` are those of the upright picture if they are given; else they are derived from the laid picture, for each
    section by itself if it is restored ``in_parts`` and that is possible.
    """
    laid = orientation.size(*size)
    partwise = PartwiseInputs(orientation.part(part, size), laid, model)
    if inputs is not None:
        inputs = _laid(inputs, orientation, model)
    elif not (in_parts and partwise.possible()):
        # what is not local sees the whole picture, as all sections must share one structure
        whole = partwise.part(slice(0, laid[0]), slice(0, laid[1]))
        inputs = inputs_of(whole, model.experiment, model.predictor, model.prior, model.prior.encoder)
    code = partwise.code() if inputs is None else inputs.code
    return View(orientation, size, grid_of_networks(model), partwise, inputs, code, SectionNoises((1, 3, *laid)))


def _laid(inputs: Inputs, orientation: Orientation, model: Model) -> Inputs:
    """Lays the inputs of an upright picture in an orientation; a code without a map says nothing of places."""
    estimate, base, condition = map(orientation.lay, (inputs.estimate, inputs.base, inputs.condition))
    has_map = place_of(model.prior.encoder) is not None
    code = orientation.lay(inputs.code) if has_map else inputs.code
    shown = None if inputs.shown is None else orientation.lay(inputs.shown)
    return Inputs(estimate, base, condition, code, shown)
