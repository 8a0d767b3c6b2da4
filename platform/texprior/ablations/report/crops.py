"""Crops pictures at the places in which an ablation's arms differ most.

Pictures are chosen by their scores, places by their pixels.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from texprior.ablations.cells import Cell, outcome_of, picture_of
from texprior.ablations.comparison import Results
from texprior.ablations.plan import Plan, is_finished
from texprior.evaluation.contact_sheet import largest_square
from texprior.flow.degrade import degraded_sample
from texprior.flow.image import load_image, to_uint8
from texprior.flow.kinds import DEGRADATION

Picture = npt.NDArray[np.uint8]
COUNT, SIDE, ZOOM = 4, 88, 2
"""Pictures in the report; side of a crop, px; enlargement. Six versions fit side by side on the page, 1220 px."""
_LABEL, _LETTER, _GAP = 20, 8, 4
"""Pixels of the grid: height of a label's line, width of a letter, and space between crops, for a font of 13 px."""


@dataclass(frozen=True)
class Crop:
    """A square of one picture in all its versions, (SIDE, SIDE, 3).

    It also has the whole reference with the square's place marked.
    """

    picture: str
    whole: Picture
    versions: Mapping[str, Picture]
    scores: Mapping[str, float]
    """Arm -> its score of the whole picture, seeds averaged."""


def crops_of(plan: Plan, results: Results, count: int = COUNT) -> list[Crop]:
    """Crops the pictures whose scores differ most between the arms.

    The crops are at the places in which the pixels differ most. The pictures of an arm are those of its first training
    that finished.
    """
    cells = {arm.name: cell for arm in plan.arms if (cell := _first(plan.of(arm.name))) is not None}
    shown = {arm: cells[arm] for arm in results.ranking() if arm in cells}

    # only pictures that every arm has kept can be shown side by side
    keys = results.pictures[results.metric]
    kept = [key for key in keys if shown and all(picture_of(cell, key).is_file() for cell in shown.values())]
    spread = {key: float(np.ptp([results.score(arm, key) for arm in shown])) for key in kept}
    chosen = sorted(kept, key=lambda key: -spread[key])[:count]
    return [_crop(plan, results, shown, key) for key in chosen]


def draw_grid(crops: Sequence[Crop], path: Path) -> Path:
    """Writes a PNG with a row for each picture and a column for each version."""
    # names of arms may be long: the label with the most lines decides the height of every row's head
    names, cell = list(crops[0].versions), SIDE * ZOOM
    labels = [[_label(crop, name, cell) for name in names] for crop in crops]
    head = _LABEL * max(label.count("\n") + 1 for row in labels for label in row)
    size = (len(names) * (cell + _GAP) + _GAP, len(crops) * (cell + head + _GAP) + _GAP)
    sheet = Image.new("RGB", size, "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)

    for line, crop in enumerate(crops):
        top = line * (cell + head + _GAP) + _GAP
        for column, name in enumerate(names):
            left = column * (cell + _GAP) + _GAP
            draw.text((left, top), labels[line][column], fill="black", font=font)
            image = Image.fromarray(crop.versions[name])
            # nearest neighbour: the reader compares pixels, and smoothing would change them
            zoomed = image.resize((image.width * ZOOM, image.height * ZOOM), Image.Resampling.NEAREST)
            sheet.paste(zoomed, (left, top + head))

    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)
    return path


def _label(crop: Crop, name: str, width: int) -> str:
    """Returns a version's name and score in lines of at most ``width`` pixels."""
    text = f"{name}  {crop.scores[name]:#.4g}" if name in crop.scores else name
    return "\n".join(textwrap.wrap(text, width // _LETTER))


def _first(cells: Sequence[Cell]) -> Cell | None:
    """Returns the first cell that finished; None if none did."""
    return next((cell for cell in cells if is_finished(outcome_of(cell))), None)


def _crop(plan: Plan, results: Results, cells: Mapping[str, Cell], key: str) -> Crop:
    """Crops all versions of a picture at the square in which the arms' restored versions differ most."""
    restored = {arm: to_uint8(load_image(picture_of(cell, key))) for arm, cell in cells.items()}
    baseline = cells.get(results.baseline) or next(iter(cells.values()))
    session = plan.session.with_(experiment=baseline.experiment)
    choice = baseline.experiment.evaluation
    sample = session.pictures(choice.split).dataset.load(key)

    # the degraded picture is made again as in the evaluation: by the baseline's degradation and the evaluation's seed
    degradation = session.build(DEGRADATION) if baseline.experiment.degradation else None
    bits = baseline.experiment.data.degraded_bits
    degraded = to_uint8(degraded_sample(sample, degradation, choice.seed, bits=bits))
    reference = to_uint8(sample.clean)

    top, left = most_varied_square(list(restored.values()), SIDE)
    versions = {"degraded": degraded, **restored, "reference": reference}
    cut = {name: image[top : top + SIDE, left : left + SIDE] for name, image in versions.items()}
    return Crop(key, _marked(reference, top, left), cut, {arm: results.score(arm, key) for arm in cells})


def most_varied_square(pictures: Sequence[Picture], side: int) -> tuple[int, int]:
    """Returns the top left corner of the square in which pictures vary most.

    The pictures, all (H, W, 3), are compared among each other.
    """
    # float64: ``largest_square`` takes differences of sums over the whole picture
    variance = np.stack(pictures).astype(np.float64).var(0).sum(2)
    return largest_square(variance, side)


def _marked(picture: Picture, top: int, left: int, longest: int = 240) -> Picture:
    """Returns the whole picture, at most ``longest`` px long, with a frame around the crop."""
    image = Image.fromarray(picture)
    scale = min(1.0, longest / max(image.size))
    small = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
    box = [round(v * scale) for v in (left, top, left + SIDE, top + SIDE)]
    # a white frame inside a black one is visible on any background
    for grow, colour in ((1, "black"), (0, "white")):
        ImageDraw.Draw(small).rectangle([box[0] - grow, box[1] - grow, box[2] + grow, box[3] + grow], outline=colour)
    return np.asarray(small)
