"""The answers of the commands that write pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from texprior.cli.answers.base import Answer, Part
from texprior.decompositions.comparison import Row
from texprior.decompositions.strength_search import Matched
from texprior.plugin import Ref


class RestoredPicture(Part):
    """A restored picture."""

    picture: Path
    restored: Path
    spread: Path | None
    """The picture of the standard deviation of several samples; null for one sample."""
    mean_spread: float
    """Its mean, in units of the picture; null for one sample."""
    size: str
    """Width x height in pixels."""
    calls: int
    """Calls of the network."""
    elapsed_s: float
    finished_before: bool = False
    """Whether an earlier command made it; missing if not."""


class RestoreAnswer(Answer):
    """Restored pictures."""

    model: Path
    prior: Path
    seed: int
    """The seed of the noise."""
    sampling: dict[str, Any]
    """The section ``sampling`` as it was used."""
    pictures: list[RestoredPicture]
    broken: dict[str, str]
    """Pictures that could not be read or written: path -> reason."""


class DegradedPicture(Part):
    """A degraded picture."""

    picture: Path
    degraded: Path
    rmse: float
    """Root mean square of the change, in units of the picture."""


class DegradeAnswer(Answer):
    """Degraded pictures."""

    degradation: Ref
    """The component, with its options."""
    seed: int
    recipe: str | None
    """The file of the random values; null if none was written."""
    pictures: list[DegradedPicture]
    broken: dict[str, str]
    """Pictures that could not be read or written: path -> reason."""


class DecomposedPicture(Part):
    """The layers of a picture."""

    picture: Path
    structure: Path
    texture: Path
    amplified: float
    """The factor of the texture in its picture."""
    texture_std: float
    """Standard deviation of the texture, in units of the picture."""
    recomposed: list[Path]
    """A picture for each --alpha."""


class DecomposeAnswer(Answer):
    """Pictures that were split into layers."""

    decomposition: Ref
    matched: Matched | None = None
    """With --match-std only."""
    pictures: list[DecomposedPicture]
    broken: dict[str, str]
    """Pictures that could not be read or written: path -> reason."""


class MatchAnswer(Answer):
    """The strength that --match-std found, without -o."""

    decomposition: Ref
    matched: Matched
    broken: dict[str, str]
    """Pictures that could not be read: path -> reason."""


class DecomposeReport(Answer):
    """A comparison of decompositions."""

    decompositions: list[Row]
    reference: str
    """The decomposition of which ``times_reference`` is a multiple."""
    broken: dict[str, str]
    """Pictures that could not be used: path -> reason."""


class FigureAnswer(Answer):
    """A figure of several methods."""

    files: list[Path]
    folders: dict[str, Path]
    """Method -> folder."""
    boxes: dict[str, list[tuple[int, int, int, int]]]
    """Picture -> left, top, width and height of each box, in pixels."""
