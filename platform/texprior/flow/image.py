"""image: pictures in and out. Inside the platform a picture is float32 RGB in [0, 1], (3, H, W)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from texprior.errors import ImageError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
_WIDE_MODES = {"I;16": 65535.0, "I;16L": 65535.0, "I;16B": 65535.0, "I": 65535.0, "F": 1.0}


@dataclass(frozen=True)
class Sample:
    """One item of a data set; pictures (3, H, W) float32 in [0, 1]. ``degraded`` is None where it is synthesised."""

    key: str
    clean: Tensor
    degraded: Tensor | None = None


class PictureSet(Protocol):
    """The contract of a data set. Built as ``Impl(options)``; opens nothing but names until ``load``.

    It may also have ``source(key) -> str``: where a sample's clean picture comes from, its absolute path or, where it
    is no file of its own, an id such as ``skimage:astronaut``. So pictures that training and test data of different
    data sets share are found; one without it is compared with nothing but itself.
    """

    def keys(self, split: str) -> Sequence[str]:
        """The sample keys of ``train``, ``val`` or ``test``, in a fixed order; empty where it has no such split.

        Raises ConfigError with a sentence where the data are missing or not of the expected shape.
        """
        ...

    def load(self, key: str) -> Sample:
        """One sample. Raises ImageError with a sentence where a file cannot be read."""
        ...


def load_image(path: Path | str) -> Tensor:
    """Reads a picture of any mode: grey is repeated, alpha is composed on white, CMYK converted, 16 bits
    of grey kept (Pillow reads 16-bit colour as 8), and turned upright as its EXIF orientation says.

    Returns (3, H, W) float32 in [0, 1]. Raises ImageError for a file that is missing, broken or no picture.
    """
    try:
        with Image.open(path) as image:
            image.load()
            return from_pil(ImageOps.exif_transpose(image))
    except FileNotFoundError:
        raise ImageError(f"{path}: there is no such file") from None
    except IsADirectoryError:
        raise ImageError(f"{path}: this is a folder, not a picture") from None
    except UnidentifiedImageError:
        raise ImageError(f"{path}: this is not a picture that can be read") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ImageError(f"{path}: the picture cannot be read ({error})") from None


def from_pil(image: Image.Image) -> Tensor:
    """A PIL image of any mode as (3, H, W) float32 in [0, 1]."""
    if image.mode in _WIDE_MODES:
        grey = np.asarray(image, dtype=np.float32) / _WIDE_MODES[image.mode]
        return torch.from_numpy(grey).clamp(0, 1).expand(3, -1, -1).contiguous()
    if "A" in image.getbands() or "transparency" in image.info:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    rgb = np.asarray(image.convert("RGB"), dtype=np.float32) / 255.0
    return torch.from_numpy(rgb).permute(2, 0, 1).contiguous()


def to_uint8(image_CHW: Tensor) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """(H, W, 3) rounded to 8 bits."""
    rounded = (image_CHW.detach().clamp(0, 1) * 255).round().to(torch.uint8)
    array: np.ndarray[tuple[int, ...], np.dtype[np.uint8]] = rounded.permute(1, 2, 0).cpu().numpy()
    return array


def save_image(image_CHW: Tensor, path: Path | str) -> None:
    """Writes (3, H, W) in [0, 1] as 8 bits; the suffix says the format."""
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(to_uint8(image_CHW)).save(path)
    except (OSError, ValueError) as error:
        raise ImageError(f"{path}: the picture cannot be written ({error})") from None
