"""Draws crops of two sides' restored pictures where they differ most."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from texprior.cli.output import say
from texprior.errors import ConfigError, ImageError

if TYPE_CHECKING:
    from texprior.ablations.report.crops import Crop
    from texprior.evaluation.scores import Scores

_ROWS = 8
"""Pictures on a sheet: those whose scores differ most."""


def kept_pictures(folder: Path) -> dict[str, Path]:
    """Returns picture -> file of the restored pictures that are stored in a folder."""
    return {unquote(file.stem): file for file in sorted((folder / "restored").glob("*.png"))}


def write_sheet(a: Mapping[str, Path], b: Mapping[str, Path], scores: Scores, path: Path) -> Path | None:
    """Writes a PNG with a row for each picture, and returns its path; None if there is no common picture.

    The pictures are those whose scores of the first metric differ most. Raises ConfigError if the file cannot be
    written.
    """
    from texprior.ablations.report.crops import draw_grid

    metric = next(iter(scores.better))
    of_a, of_b = scores.of("A", metric), scores.of("B", metric)
    common = [picture for picture in scores.complete(metric) if picture in a and picture in b]
    chosen = sorted(common, key=lambda picture: -abs(of_a[picture] - of_b[picture]))[:_ROWS]
    crops = []
    for picture in chosen:
        try:
            crops.append(_crop(picture, a[picture], b[picture], {"A": of_a[picture], "B": of_b[picture]}))
        except ImageError as error:
            say(f"--sheet: {error}")
    if not crops:
        say("--sheet: no restored picture is stored on both sides")
        return None
    try:
        return draw_grid(crops, path)
    # Pillow knows a format by the file's ending
    except (OSError, ValueError) as error:
        raise ConfigError(f"--sheet {path}: cannot be written ({error}); name a PNG file") from None


def _crop(picture: str, a: Path, b: Path, scores: Mapping[str, float]) -> Crop:
    """Crops both versions at the square in which they differ most."""
    from texprior.ablations.report.crops import SIDE, Crop, most_varied_square
    from texprior.flow.image import load_image, to_uint8

    versions = {"A": to_uint8(load_image(a)), "B": to_uint8(load_image(b))}
    if versions["A"].shape != versions["B"].shape:
        raise ImageError(f"{picture}: its versions have different sizes, so they are not compared")
    top, left = most_varied_square(list(versions.values()), SIDE)
    cut = {name: image[top : top + SIDE, left : left + SIDE] for name, image in versions.items()}
    return Crop(picture, versions["A"], cut, scores)
