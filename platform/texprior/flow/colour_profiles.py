"""Converts pictures to sRGB if the colour profile of their file says otherwise (ICC.1)."""

from __future__ import annotations

import functools
import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from texprior.flow.matrix_profiles import to_srgb_by_matrix
from texprior.flow.once import warn_once

_SAME = 2
"""Levels of 255 by which profiles of one colour space differ, since tools round their curves and primaries."""


class _ProfileError(ValueError):
    """Raised for a profile that is broken, or is one of another kind of picture."""


def to_srgb(image: Image.Image, where: str) -> Image.Image:
    """Converts a picture, of mode L, RGB, RGBA or CMYK, from the profile of its file to sRGB.

    The intent is relative colorimetric with black-point compensation, the usual one for photographs. A picture without
    a profile, or with one that means sRGB, is returned as it is; so is one whose profile cannot be used, with a warning
    that begins with ``where``. Else the result has mode RGB, or RGBA as before.
    """
    profile = image.info.get("icc_profile") or b""
    # many programs put the profile of their colour pictures into grey ones
    if image.mode == "L" and profile[16:20] == b"RGB ":
        image = image.convert("RGB")
    conversion = _conversion(image, profile, where)
    return image if conversion is None else _apply(image, conversion)


def wide_to_srgb(values: NDArray[np.float32], profile: bytes, where: str) -> NDArray[np.float32]:
    """Converts (H, W, 1 or 3) in [0, 1], of more than 8 bits, from a profile to sRGB; otherwise as ``to_srgb``.

    A profile that is no matrix with curves is applied to values rounded to 8 bits, with a warning.
    """
    # grey with alpha is decoded as colour, and grey may have a profile of colours
    if profile[16:20] == b"GRAY" and (values == values[..., :1]).all():
        values = values[..., :1]
    if profile[16:20] == b"RGB " and values.shape[-1] == 1:
        values = values.repeat(3, -1)
    levels = (values * 255).round().astype(np.uint8)
    rounded = Image.fromarray(levels if values.shape[-1] == 3 else levels[..., 0])
    rounded.info["icc_profile"] = profile
    converted = to_srgb(rounded, where)
    if converted is rounded:
        return values
    exact = to_srgb_by_matrix(values, profile)
    if exact is not None:
        return exact
    warn_once(f"{where}: the colour profile can only be applied to 8 of the picture's 16 bits")
    return np.asarray(converted, dtype=np.float32) / np.float32(255)


def _conversion(image: Image.Image, profile: bytes, where: str) -> ImageCms.ImageCmsTransform | None:
    try:
        return _transform(profile, image.mode) if profile else None
    except _ProfileError as error:
        warn_once(f"{where}: the colour profile cannot be used ({error}); the values are taken as sRGB")
        return None


@functools.lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Returns the conversion of a profile to sRGB; None if it changes nothing."""
    flags: Any = ImageCms.Flags.BLACKPOINTCOMPENSATION
    try:
        transform = ImageCms.buildTransform(
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            mode,
            "RGBA" if mode == "RGBA" else "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags,
        )
    # ImportError: a Pillow that was built without colour management
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError, ImportError) as error:
        raise _ProfileError(str(error)) from None
    if mode == "CMYK":
        return transform
    probe = _probe().convert(mode)
    before, after = (np.asarray(p.convert("RGB"), dtype=int) for p in (probe, _apply(probe, transform)))
    return transform if np.abs(before - after).max() > _SAME else None


def _apply(image: Image.Image, transform: ImageCms.ImageCmsTransform) -> Image.Image:
    converted = ImageCms.applyTransform(image, transform)
    assert converted is not None
    converted.info = {name: value for name, value in image.info.items() if name != "icc_profile"}
    return converted


def _probe() -> Image.Image:
    """Returns a picture with 17 levels of each channel in all combinations."""
    levels = np.linspace(0, 255, 17).round().astype(np.uint8)
    return Image.fromarray(np.stack(np.meshgrid(levels, levels, levels), -1).reshape(17, -1, 3))
