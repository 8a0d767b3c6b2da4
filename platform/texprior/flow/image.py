"""Reads and writes pictures.

Inside the platform a picture is float32 RGB in [0, 1], (3, H, W).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from texprior.errors import ImageError

Pixels = NDArray[Any]
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
"""Suffixes of the files that count as pictures."""
# White in Pillow's grey modes beyond 8 bits. Pillow has used both I;16 and I for files of 16 bits of grey.
_WIDE_MODES = {"I;16": 65535.0, "I;16L": 65535.0, "I;16B": 65535.0, "I": 65535.0, "F": 1.0}

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


@dataclass(frozen=True)
class Sample:
    """One item of a data set; pictures (3, H, W) float32 in [0, 1].

    ``degraded`` is None if the degraded picture is synthesised.
    """

    key: str
    clean: Tensor
    degraded: Tensor | None = None


class PictureSet(Protocol):
    """The contract of a data set, which is built as ``Impl(options)``.

    Before ``load`` it only lists names. It may also have ``source(key) -> str``, which says where a sample's clean
    picture comes from. This is the absolute path, or an id such as ``skimage:astronaut`` if the picture is not a single
    file. The platform uses it to find pictures that are in the training data of one data set and in the test data of
    another. A data set without ``source`` is compared only with itself.
    """

    def keys(self, split: str) -> Sequence[str]:
        """Returns the sample keys of ``train``, ``val`` or ``test``, in a fixed order.

        The result is empty if the data set does not have this split. Raises ConfigError with a clear message if the
        data are missing or do not have the expected layout.
        """
        ...

    def load(self, key: str) -> Sample:
        """Loads one sample. Raises ImageError with a clear message if a file cannot be read."""
        ...


def load_image(path: Path | str) -> Tensor:
    """Reads a picture of any mode; returns (3, H, W) float32 in [0, 1].

    Grey is repeated in all channels, alpha is composed on white, and CMYK is converted to RGB. All 16 bits of a PNG or
    TIFF are kept. The picture is turned upright by its EXIF orientation. Raises ImageError if the file is missing,
    broken, or not a picture.
    """
    try:
        with Image.open(path) as image:
            # Pillow opens lazily; load all pixels now, so that a broken file raises inside this try
            image.load()
            if _has_wide_colour(image, Path(path)):
                return _read_wide_colour(Path(path), image.getexif().get(ExifTags.Base.Orientation, 1))
            return from_pil(ImageOps.exif_transpose(image))
    except FileNotFoundError:
        raise ImageError(f"{path}: there is no such file") from None
    except IsADirectoryError:
        raise ImageError(f"{path}: this is a folder, not a picture") from None
    except UnidentifiedImageError:
        raise ImageError(f"{path}: this is not a picture that can be read") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ImageError(f"{path}: the picture cannot be read ({error})") from None


def _has_wide_colour(image: Image.Image, path: Path) -> bool:
    """Whether a file has 16 bits a value, of which Pillow keeps 8: colour, or grey with alpha."""
    if image.mode not in ("RGB", "RGBA", "LA"):
        return False
    if image.format == "PNG":
        with path.open("rb") as file:
            # signature, length and type of the first chunk, width, height: then the bit depth
            return file.read(25)[24] == 16
    return 16 in getattr(image, "tag_v2", {}).get(_TIFF_BITS, ())


def _read_wide_colour(path: Path, orientation: int) -> Tensor:
    """Reads a PNG or TIFF of 16 bits a value; alpha is composed on white."""
    # imported here, since few files need it: OpenCV keeps the low bytes that Pillow drops
    import cv2

    # decoded from memory, as OpenCV's own reader takes no path outside ASCII on Windows
    stored = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    if stored is None or stored.dtype != np.uint16:
        raise ValueError("16 bits a value, in a form that OpenCV does not decode")
    values = _UPRIGHT.get(orientation, np.asarray)(stored).astype(np.float32) / 65535
    # OpenCV orders blue, green, red, alpha
    colour, alpha = values[..., 2::-1], values[..., 3:]
    composed = colour * alpha + (1 - alpha) if alpha.size else colour
    return torch.from_numpy(np.ascontiguousarray(composed.transpose(2, 0, 1)))


def from_pil(image: Image.Image) -> Tensor:
    """Converts a PIL image of any mode to (3, H, W) float32 in [0, 1]."""
    if image.mode in _WIDE_MODES:
        grey = np.asarray(image, dtype=np.float32) / _WIDE_MODES[image.mode]
        return torch.from_numpy(grey).clamp(0, 1).expand(3, -1, -1).contiguous()
    # convert("RGB") alone would drop the transparency and show the colours that it hides
    if "A" in image.getbands() or "transparency" in image.info:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    rgb = np.asarray(image.convert("RGB"), dtype=np.float32) / 255.0
    return torch.from_numpy(rgb).permute(2, 0, 1).contiguous()


def to_uint8(image_CHW: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Converts (3, H, W) in [0, 1] to (H, W, 3) with 8 bits.

    Values are clipped and rounded.
    """
    rounded = (image_CHW.detach().clamp(0, 1) * 255).round().to(torch.uint8)
    array: np.ndarray[tuple[int, ...], np.dtype[np.uint8]] = rounded.permute(1, 2, 0).cpu().numpy()
    return array


def save_image(image_CHW: Tensor, path: Path | str) -> None:
    """Writes (3, H, W) in [0, 1] with 8 bits; the suffix decides the format.

    Raises ImageError if the picture cannot be written.
    """
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(to_uint8(image_CHW)).save(path)
    except (OSError, ValueError) as error:
        raise ImageError(f"{path}: the picture cannot be written ({error})") from None
