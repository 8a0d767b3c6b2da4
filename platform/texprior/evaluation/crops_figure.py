"""Draws pictures of several methods for a paper: each whole once, and crops of every method side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from texprior.errors import ConfigError, ImageError
from texprior.evaluation.contact_sheet import largest_square
from texprior.evaluation.foreign import named_pictures
from texprior.flow.image import load_image, to_uint8
from texprior.flow.picture_files import some

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

Picture = npt.NDArray[np.uint8]
WIDTH, GAP, HEAD = 7.0, 0.04, 0.17
"""Inches: the width of a page of text, the space between pictures, and the height of a row's head."""
COLOURS = ("#e41a1c", "#00b8d4", "#ffb300", "#43a047")
"""Colours of the boxes of a picture, in their order."""


class Box(NamedTuple):
    """A rectangle of a picture, px."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True)
class Row:
    """A picture in all its versions, (H, W, 3) each of one size, and the boxes that are cropped."""

    picture: str
    versions: Mapping[str, Picture]
    boxes: Sequence[Box]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, px."""
        height, width = next(iter(self.versions.values())).shape[:2]
        return width, height


def rows_of(folders: Mapping[str, Path], chosen: Mapping[str, Sequence[Box]], side: int) -> list[Row]:
    """Reads the chosen pictures from each folder; a picture without a box gets the square in which versions vary most.

    ``side`` is that square's, px. Raises ConfigError if a picture is missing or cannot be read, if its versions have
    different sizes, or if a box is not inside.
    """
    files = {name: named_pictures(folder) for name, folder in folders.items()}
    return [_row(files, picture, boxes, side) for picture, boxes in chosen.items()]


def common_pictures(folders: Mapping[str, Path]) -> list[str]:
    """Lists the pictures that every folder has, in the order of the first one. Raises ConfigError if there are none."""
    first, *others = (named_pictures(folder) for folder in folders.values())
    found = [name for name in first if all(name in other for other in others)]
    if not found:
        raise ConfigError(f"no picture is in all of {', '.join(folders)}: names must be equal, except for their suffix")
    return found


def _row(files: Mapping[str, Mapping[str, Path]], picture: str, boxes: Sequence[Box], side: int) -> Row:
    for name, found in files.items():
        if picture not in found:
            raise ConfigError(f"--picture {picture}: it is not in {name}, which has {some(list(found))}")
    try:
        versions = {name: to_uint8(load_image(found[picture])) for name, found in files.items()}
    except ImageError as error:
        raise ConfigError(f"--picture {picture}: {error}") from None
    sizes = {name: f"{version.shape[1]} x {version.shape[0]}" for name, version in versions.items()}
    if len(set(sizes.values())) > 1:
        said = ", ".join(f"{name} {size}" for name, size in sizes.items())
        raise ConfigError(f"--picture {picture}: its versions must have one size: {said}")
    row = Row(picture, versions, boxes or [_most_varied(picture, list(versions.values()), side)])
    width, height = row.size
    for box in row.boxes:
        if min(box.width, box.height) < 1 or min(box.left, box.top) < 0 or (
            box.left + box.width > width or box.top + box.height > height
        ):  # fmt: skip
            raise ConfigError(f"--picture {picture}@{','.join(map(str, box))}: not inside of {width} x {height} px")
    return row


def _most_varied(picture: str, versions: Sequence[Picture], side: int) -> Box:
    """Returns the square in which the versions vary most; as much of it as the picture has.

    Raises ConfigError if all versions are equal.
    """
    variance = np.stack(versions).astype(np.float64).var(0).sum(2)
    if not variance.any():
        raise ConfigError(
            f"--picture {picture}: the folders do not differ in it, so no box can be chosen; write "
            f"{picture}@LEFT,TOP,WIDTH,HEIGHT"
        )
    side = min(side, *variance.shape)
    top, left = largest_square(variance, side)
    return Box(left, top, side, side)


def draw_rows(rows: Sequence[Row]) -> Figure:
    """Draws a row for each picture: the first version whole with its boxes, then the boxes of every version."""
    from matplotlib.figure import Figure

    heights = [_height(row) for row in rows]
    total = sum(heights) + len(rows) * (HEAD + GAP)
    figure, top = Figure(figsize=(WIDTH, total)), total
    for row, height in zip(rows, heights, strict=True):
        top -= HEAD
        _draw_row(figure, row, top, height)
        top -= height + GAP
    return figure


def _aspects(row: Row) -> tuple[float, float]:
    """Returns width / height of the whole picture, and of the widest box."""
    width, height = row.size
    return width / height, max(box.width / box.height for box in row.boxes)


def _height(row: Row) -> float:
    """Returns the height, in inches, at which a row is as wide as the figure."""
    (whole, crop), methods, stacked = _aspects(row), len(row.versions), len(row.boxes)
    gaps = methods * GAP - methods * crop * (stacked - 1) * GAP / stacked
    # the last frame's outer half needs room, too
    return (WIDTH - gaps - GAP / 2) / (whole + methods * crop / stacked)


def _draw_row(figure: Figure, row: Row, top: float, height: float) -> None:
    whole, crop = _aspects(row)
    each = (height - (len(row.boxes) - 1) * GAP) / len(row.boxes)
    left = height * whole
    axes = _axes(figure, 0, top - height, left, height)
    axes.imshow(next(iter(row.versions.values())), interpolation="none")
    for box, colour in zip(row.boxes, _colours(row), strict=True):
        # at the pixels' edges: the centre of the first pixel is at 0
        place = (box.left - 0.5, box.top - 0.5)
        axes.add_patch(_rectangle(place, box, colour))
    _name(figure, row.picture, left / 2, top, left)
    for name, version in row.versions.items():
        left += GAP
        for number, (box, colour) in enumerate(zip(row.boxes, _colours(row), strict=True)):
            inner = _axes(figure, left, top - (number + 1) * each - number * GAP, each * crop, each)
            inner.imshow(version[box.top : box.top + box.height, box.left : box.left + box.width], interpolation="none")
            for spine in inner.spines.values():
                spine.set(visible=True, edgecolor=colour, linewidth=1.2)
        _name(figure, name, left + each * crop / 2, top, each * crop)
        left += each * crop


def _colours(row: Row) -> list[str]:
    return [COLOURS[number % len(COLOURS)] for number in range(len(row.boxes))]


def _rectangle(place: tuple[float, float], box: Box, colour: str) -> Patch:
    from matplotlib.patches import Rectangle

    return Rectangle(place, box.width, box.height, fill=False, edgecolor=colour, linewidth=1.2)


def _axes(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Adds axes without ticks at a place in inches."""
    across, up = figure.get_size_inches()
    axes = figure.add_axes((left / across, bottom / up, width / across, height / up))
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(False)
    return axes


def _name(figure: Figure, text: str, centre: float, bottom: float, width: float) -> None:
    """Writes a name above a column, small enough to fit: a letter is about .6 of the font's size wide."""
    across, up = figure.get_size_inches()
    size = min(8.0, 72 * width / (0.6 * max(1, len(text))))
    # a dollar sign would begin a formula
    shown = text.replace("$", r"\$")
    figure.text(centre / across, (bottom + 0.03) / up, shown, ha="center", va="bottom", fontsize=size)
