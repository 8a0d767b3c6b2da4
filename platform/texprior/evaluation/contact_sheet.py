"""Contact sheets: the same crops of several methods side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from texprior.flow.image import to_uint8

_LABEL = 22


def contact_sheet(rows: Sequence[Mapping[str, Tensor]], path: Path, crop: int = 240) -> Path:
    """Writes a PNG with a row for each picture; returns its path.

    The row has a column for each version of the picture, (3, H, W) in [0, 1]. The crop is the square with the most
    detail in the reference, or in the first column, at its own resolution.
    """
    names = list(rows[0])
    sheet = Image.new("RGB", (len(names) * (crop + 4) + 4, len(rows) * (crop + 4) + _LABEL + 4), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for column, name in enumerate(names):
        draw.text((column * (crop + 4) + 8, 3), name, fill="black", font=font)
    for line, row in enumerate(rows):
        top, left = most_detailed(to_uint8(row["reference"] if "reference" in row else row[names[0]]), crop)
        for column, name in enumerate(names):
            square = to_uint8(row[name])[top : top + crop, left : left + crop]
            sheet.paste(Image.fromarray(square), (column * (crop + 4) + 4, line * (crop + 4) + _LABEL))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)
    return path


def most_detailed(image: npt.NDArray[np.uint8], crop: int) -> tuple[int, int]:
    """Returns the top left corner of the square with the most detail.

    This is the square with the largest mean gradient, of a picture (H, W, 3).
    """
    grey = image.mean(2)
    gradient = np.abs(np.diff(grey, axis=0, append=grey[-1:])) + np.abs(np.diff(grey, axis=1, append=grey[:, -1:]))
    return largest_square(gradient, crop)


def largest_square(values_HW: npt.NDArray[np.float64], side: int) -> tuple[int, int]:
    """Returns the top left corner of the square with the largest sum.

    It is found by an integral image. A side that is longer than the picture's is cut to it.
    """
    h, w = min(side, values_HW.shape[0]), min(side, values_HW.shape[1])
    total = np.pad(values_HW.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    sums = total[h:, w:] - total[:-h, w:] - total[h:, :-w] + total[:-h, :-w]
    top, left = np.unravel_index(sums.argmax(), sums.shape)
    return int(top), int(left)
