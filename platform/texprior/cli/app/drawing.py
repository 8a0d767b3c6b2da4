"""Turns the results of the page into pictures for a screen, (H, W, 3) of 8 bits, and crops into HTML."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from texprior.cli.pictures import AMPLIFIED
from texprior.flow.image import to_uint8
from texprior.runtime.notebook import data_address, png_bytes

Shown = NDArray[np.uint8]
CROP = 224
"""Side of a crop, px: a window of 1280 px has room for the five crops side by side, and a phone's for one."""


def shown(picture_BCHW: Tensor) -> Shown:
    """Returns a picture, (1, 3, H, W) in [0, 1], as the 8 bits of its file."""
    return to_uint8(picture_BCHW[0])


def texture_shown(texture_BCHW: Tensor) -> Shown:
    """Returns a signed layer, amplified; middle grey is its zero."""
    return shown(0.5 + AMPLIFIED * texture_BCHW)


def spread_shown(spread_BCHW: Tensor) -> tuple[Shown, float]:
    """Returns a spread, scaled to its largest value, and this value in units of the picture."""
    largest = float(spread_BCHW.max())
    # as ``texprior restore`` writes it; 1e-8 prevents 0 / 0
    return shown(spread_BCHW / max(largest, 1e-8)), largest


def place_of(size: tuple[int, int], across: float, down: float) -> tuple[slice, slice]:
    """Returns rows and columns of a crop; ``across`` and ``down``, 0 to 1, go from one border to the other."""
    rows, columns = (_window(length, share) for length, share in zip(size, (down, across), strict=True))
    return rows, columns


def _window(length: int, share: float) -> slice:
    side = min(CROP, length)
    first = round(share * (length - side))
    return slice(first, first + side)


def crops_html(pictures: Mapping[str, Shown], place: tuple[slice, slice]) -> str:
    """Returns the crops of pictures of one size side by side as HTML: one pixel of the screen for each of theirs."""
    return f'<div class="crops">{"".join(_figure(name, picture[place]) for name, picture in pictures.items())}</div>'


def _figure(name: str, crop: Shown) -> str:
    height, width = crop.shape[:2]
    image = f'<img alt="{escape(name)}" width="{width}" height="{height}" src="{data_address(png_bytes(crop))}">'
    return f"<figure>{image}<figcaption>{escape(name)}</figcaption></figure>"
