"""Implements ``texprior figure``, which draws crops of several methods side by side."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from texprior.cli.commands.score import methods_of
from texprior.cli.output import emit
from texprior.cli.request import json_option
from texprior.errors import ConfigError, TexpriorError

if TYPE_CHECKING:
    from texprior.evaluation.crops_figure import Box

_SHOWN = 3
"""Pictures if none is named."""
_SUFFIXES = (".pdf", ".png")
_OTHERS = (".jpg", ".jpeg", ".svg", ".eps", ".ps", ".tif", ".tiff", ".gif", ".bmp", ".webp")
"""Suffixes by which a user asks for what is not written."""


@click.command()
@click.argument("folders", metavar="[NAME=]FOLDER...", nargs=-1, required=True)
@click.option(
    "--picture",
    "pictures",
    multiple=True,
    metavar="NAME[@LEFT,TOP,WIDTH,HEIGHT]",
    help="A picture, without suffix, and a box of it in pixels; repeatable, also for several boxes of one picture.",
)
@click.option(
    "--side",
    type=click.IntRange(8, 4096),
    default=96,
    metavar="PX",
    show_default=True,
    help="Side of a box that is chosen.",
)
@click.option("--dpi", type=click.IntRange(50, 1200), default=300, show_default=True, help="Resolution of the PNG.")
@click.option(
    "-o", "--output", default="figure", metavar="FILE", show_default=True, help="FILE.pdf and FILE.png, or one."
)
@json_option
def figure(
    folders: tuple[str, ...], pictures: tuple[str, ...], side: int, dpi: int, output: str, as_json: bool
) -> None:
    """Draw pictures and crops of several methods side by side, for a paper.

    Each picture is a row: that of the first FOLDER whole, with its boxes, then the boxes of every folder. A picture
    without a box gets the square in which the folders differ most; without --picture, the first three are drawn.
    """
    from texprior.evaluation.crops_figure import common_pictures, draw_rows, rows_of
    from texprior.evaluation.foreign import refuse_overwriting

    methods, files = methods_of(folders), _files(output)
    for file in files:
        refuse_overwriting(file, methods.values())
    chosen = _chosen(pictures) or {name: [] for name in common_pictures(methods)[:_SHOWN]}
    rows = rows_of(methods, chosen, side)
    drawn = draw_rows(rows)
    for file in files:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            drawn.savefig(file, dpi=dpi)
        except OSError as error:
            raise TexpriorError(f"-o {file}: the figure cannot be written ({error.strerror})") from None
    if as_json:
        boxes = {row.picture: [list(box) for box in row.boxes] for row in rows}
        emit({"files": files, "folders": methods, "boxes": boxes})
        return
    for row in rows:
        click.echo(f"{row.picture}: {' '.join(f'@{left},{top},{w},{h}' for left, top, w, h in row.boxes)}")
    for file in files:
        click.echo(f"figure: {file}")


def _files(output: str) -> Sequence[Path]:
    """Returns the files to write: both kinds, or the one that the suffix names."""
    path = Path(output)
    if path.suffix.lower() in _SUFFIXES:
        return [path]
    if path.suffix.lower() in _OTHERS:
        raise ConfigError(f"-o {output}: a figure is a PDF or a PNG; write .pdf, .png, or no suffix for both")
    if path.is_dir():
        raise ConfigError(f"-o {output}: this is a folder; name a file, without suffix for both PDF and PNG")
    return [path.with_name(path.name + suffix) for suffix in _SUFFIXES]


def _chosen(pictures: Sequence[str]) -> Mapping[str, list[Box]]:
    """Returns picture -> its boxes. Raises ConfigError if a box is no four whole numbers."""
    from texprior.evaluation.crops_figure import Box

    found: dict[str, list[Box]] = {}
    for text in pictures:
        name, at, numbers = text.rpartition("@")
        if not at:
            found.setdefault(text, [])
        elif re.fullmatch(r"-?\d+(,-?\d+){3}", numbers):
            found.setdefault(name, []).append(Box(*map(int, numbers.split(","))))
        else:
            raise ConfigError(f"--picture {text}: a box is LEFT,TOP,WIDTH,HEIGHT in whole pixels, such as @10,20,96,64")
    return found
