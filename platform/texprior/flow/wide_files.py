"""Reads and writes pictures of 16 bits a value and several channels, of which Pillow keeps 8."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[Any]
_TIFF_BITS = 258
"""The TIFF tag BitsPerSample."""
_UPRIGHT: Mapping[int, Callable[[Pixels], Pixels]] = {
    2: np.fliplr,
    3: lambda image: np.rot90(image, 2),
    4: np.flipud,
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: np.rot90(image.swapaxes(0, 1), 2),
    8: np.rot90,
}
"""EXIF orientation -> what turns pixels (H, W, C) upright, as Pillow's ``exif_transpose`` does."""


def is_wide(image: Image.Image, path: Path) -> bool:
    """Returns whether a PNG or TIFF has 16 bits a value and is colour, or grey with alpha."""
    if image.mode not in ("RGB", "RGBA", "LA"):
        return False
    if image.format == "PNG":
        with path.open("rb") as file:
            # signature, length and type of the first chunk, width, height: then the bit depth
            return file.read(25)[24] == 16
    return 16 in getattr(image, "tag_v2", {}).get(_TIFF_BITS, ())


def read_wide(path: Path, orientation: int) -> Pixels:
    """Reads such a file; returns (H, W, 3 or 4) float32 in [0, 1]: red, green, blue, and alpha if there is one.

    The pixels are turned upright by the EXIF orientation. Raises ValueError if the file cannot be decoded.
    """
    # imported here, since few files need it
    import cv2

    # decoded from memory, as OpenCV's own reader takes no path outside ASCII on Windows
    try:
        stored = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise ValueError(str(error)) from None
    if stored is None or stored.dtype != np.uint16:
        raise ValueError("16 bits a value, in a form that OpenCV does not decode")
    values = _UPRIGHT.get(orientation, np.asarray)(stored).astype(np.float32) / 65535
    # OpenCV orders blue, green, red, alpha
    return np.concatenate([values[..., 2::-1], values[..., 3:]], -1)


def write_wide(values: Pixels, path: Path) -> None:
    """Writes (H, W, 1 to 4) uint16 to a PNG or TIFF; grey with alpha becomes colour with alpha.

    Raises ValueError if the format does not take 16 bits.
    """
    import cv2

    grey, alpha = values.shape[-1] < 3, values.shape[-1] in (2, 4)
    colour = values[..., :1] if grey else values[..., 2::-1]
    if alpha:
        colour = np.concatenate([np.broadcast_to(colour, (*colour.shape[:2], 3)), values[..., -1:]], -1)
    if path.suffix.lower() not in (".png", ".tif", ".tiff"):
        raise ValueError(f"'{path.suffix}' does not take 16 bits a value; .png and .tif do")
    path.write_bytes(cv2.imencode(path.suffix, np.ascontiguousarray(colour))[1].tobytes())
