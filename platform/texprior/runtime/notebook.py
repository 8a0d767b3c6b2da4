"""Shows results in a notebook or on a page: tables and pictures as HTML, and rows as a data frame of pandas."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

if TYPE_CHECKING:
    import pandas
    from torch import Tensor

_LARGEST = 640
"""Longer side of a picture that is shown, px: a notebook keeps every picture that it shows."""


def html_table(caption: str, columns: Sequence[object], rows: Iterable[Sequence[object]]) -> str:
    """Returns an HTML table with a caption. All texts are escaped."""
    lines = "".join(f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows)
    head = "".join(f"<th>{escape(str(column))}</th>" for column in columns)
    return f"<table><caption>{escape(caption)}</caption><tr>{head}</tr>{lines}</table>"


def html_pictures(caption: str, pictures: Mapping[str, Tensor]) -> str:
    """Returns pictures side by side as HTML, with their names. Each is (3, H, W) in [0, 1].

    A picture with a side above 640 px is shown smaller.
    """
    shown = "".join(
        f'<figure style="display:inline-block;margin:4px"><img alt="{escape(name)}" src="{_png(picture)}">'
        f"<figcaption>{escape(name)}</figcaption></figure>"
        for name, picture in pictures.items()
    )
    return f"<div>{shown}<br>{escape(caption)}</div>"


def data_frame(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> pandas.DataFrame:
    """Returns rows as a data frame."""
    import pandas

    return pandas.DataFrame(list(rows), columns=list(columns))


def png_bytes(pixels_HWC: NDArray[np.uint8]) -> bytes:
    """Returns a picture of 8 bits as a PNG."""
    file = io.BytesIO()
    Image.fromarray(pixels_HWC).save(file, "PNG")
    return file.getvalue()


def data_address(data: bytes, kind: str = "png") -> str:
    """Returns a picture as an address that holds it, so that a page needs no other file."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def _png(picture_CHW: Tensor) -> str:
    # imported here: tables of scores need no torch
    from texprior.flow.image import to_uint8

    image = Image.fromarray(to_uint8(picture_CHW))
    image.thumbnail((_LARGEST, _LARGEST), Image.Resampling.LANCZOS)
    return data_address(png_bytes(np.asarray(image)))
