"""Turns the pixels of files into RGB in [0, 1], and refuses values that no picture has."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from texprior.errors import ImageError
from texprior.flow.colour_profiles import to_srgb, wide_to_srgb

# White in Pillow's grey modes beyond 8 bits. Pillow has used both I;16 and I for files of 16 bits of grey.
_WIDE_MODES = {"I;16": 65535.0, "I;16L": 65535.0, "I;16B": 65535.0, "I;16N": 65535.0, "I": 65535.0, "F": 1.0}
_SLACK = 1e-3
"""How far a value may be outside [0, 1], in whites: the rounding of a program that wrote it."""


@dataclass(frozen=True)
class Picture:
    """A picture as its file holds it."""

    stored: Tensor
    """RGB composed on white, (3, H, W): uint8, or float32 in [0, 1] if the file has more than 8 bits."""
    alpha: Tensor | None = None
    """Opacity, (1, H, W) in [0, 1], if the file has it."""
    grey: bool = False
    """Whether the file holds grey alone; its channels are then equal."""
    bits: int = 8
    """Bits a value with which the picture is written again: 16 if the file has more than 8."""

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, px."""
        height, width = self.stored.shape[-2:]
        return height, width

    @property
    def colour(self) -> Tensor:
        """RGB composed on white, (3, H, W) float32 in [0, 1], made anew at each use."""
        return _scaled(self.stored)

    def part(self, rows: slice, columns: slice) -> Tensor:
        """Returns a part of the colours, (1, 3, h, w) float32 in [0, 1]."""
        return _scaled(self.stored[None, :, rows, columns])


def picture_of(image: Image.Image, where: str, managed: bool = True) -> Picture:
    """Converts a PIL image of any mode, already upright.

    With ``managed``, its colour profile is applied. Raises ImageError, which begins with ``where``, for values that are
    not finite or outside black and white.
    """
    if image.mode in _WIDE_MODES:
        values = torch.from_numpy(np.array(image, dtype=np.float32))[None]
        grey = require_values(values, where, _WIDE_MODES[image.mode])
        return wide_picture(grey[0, ..., None].numpy(), _profile(image) if managed else None, where, grey=True)
    rgb, alpha = _separated(image, where, managed)
    # composed by Pillow in 8 bits, as viewers show it
    if alpha is not None:
        rgb.putalpha(alpha)
        rgb = Image.alpha_composite(Image.new("RGBA", rgb.size, "white"), rgb).convert("RGB")
    opacity = None if alpha is None else _scaled(_tensor(np.asarray(alpha)[..., None]))
    return Picture(_tensor(np.asarray(rgb)), opacity, image.mode in ("1", "L", "LA"))


def _separated(image: Image.Image, where: str, managed: bool) -> tuple[Image.Image, Image.Image | None]:
    """Returns the colours as RGB, and the opacity if there is one."""
    # convert("RGB") alone would drop the transparency and show the colours that it hides
    alpha = None
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        alpha = rgba.getchannel("A")
        image = image.convert("L") if image.mode == "LA" else _with_info(rgba.convert("RGB"), image)
    elif image.mode in ("P", "YCbCr", "HSV"):
        image = _with_info(image.convert("RGB"), image)
    if managed and image.mode in ("L", "RGB", "CMYK"):
        image = to_srgb(image, where)
    # converting to the same mode would copy all pixels
    return image if image.mode == "RGB" else image.convert("RGB"), alpha


def _with_info(image: Image.Image, of: Image.Image) -> Image.Image:
    """Returns a conversion with the colour profile of its original, which Pillow keeps for some modes only."""
    profile = _profile(of)
    image.info = {"icc_profile": profile} if profile else {}
    return image


def _profile(image: Image.Image) -> bytes | None:
    profile: bytes | None = image.info.get("icc_profile")
    return profile


def _tensor(levels: NDArray[np.uint8]) -> Tensor:
    """Converts (H, W, C) with 8 bits to (C, H, W)."""
    return torch.from_numpy(np.array(levels.transpose(2, 0, 1), order="C"))


def _scaled(stored: Tensor) -> Tensor:
    """Converts 8 bits to float32 in [0, 1]; returns floats as they are."""
    return stored.float().div_(255) if stored.dtype == torch.uint8 else stored


def wide_picture(values: NDArray[np.float32], profile: bytes | None, where: str, grey: bool) -> Picture:
    """Converts (H, W, C) in [0, 1] of a file with more than 8 bits a value; C is 1, 3, or 4 with alpha.

    Converts the colours to sRGB by the ``profile`` of the file, if there is one.
    """
    colour = values[..., :3]
    if profile:
        colour = wide_to_srgb(colour, profile, where)
    channels = [torch.from_numpy(np.ascontiguousarray(part.transpose(2, 0, 1))) for part in (colour, values[..., 3:])]
    alpha = channels[1] if len(channels[1]) else None
    return Picture(on_white(torch.cat(channels)), alpha, grey, 16)


def on_white(image: Tensor) -> Tensor:
    """Composes RGB and alpha, (4, H, W), on white; repeats grey, (1, H, W); returns RGB as it is."""
    if len(image) == 4:
        return (image[:3] * image[3:] + (1 - image[3:])).contiguous()
    return image.repeat(3, 1, 1) if len(image) == 1 else image.contiguous()


def require_values(image_CHW: Tensor, where: str, white: float = 1.0) -> Tensor:
    """Divides a picture by its white and returns it, in [0, 1].

    Raises ImageError, which begins with ``where``, if a value is not finite, or is below black or above white by more
    than rounding.
    """
    require_finite(image_CHW, where)
    low, high = float(image_CHW.min()), float(image_CHW.max())
    if low < -_SLACK * white or high > white * (1 + _SLACK):
        raise ImageError(
            f"{where}: the values go from {low:.6g} to {high:.6g}, but black is 0 and white is {white:g}; scale them"
        )
    return (image_CHW / white).clamp(0, 1)


def require_finite(image_CHW: Tensor, where: str) -> None:
    """Raises ImageError, which begins with ``where``, if a value is not finite; it counts them and names the first."""
    wrong = ~image_CHW.isfinite()
    if wrong.any():
        row, column = wrong.any(0).nonzero()[0].tolist()
        count = int(wrong.sum())
        raise ImageError(
            f"{where}: {count:,} of {wrong.numel():,} values {'is' if count == 1 else 'are'} NaN or infinite, "
            f"the first in column {column}, row {row} (from 0)"
        )
