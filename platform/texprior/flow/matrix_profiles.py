"""Converts values of more than 8 bits to sRGB, by a colour profile of curves and a matrix (ICC.1:2022, annex F.3).

Pillow's colour management takes 8 bits a channel. Profiles of cameras, monitors and working spaces have this form.
"""

from __future__ import annotations

import functools
import struct
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ImageCms

Values = NDArray[Any]
Curve = Callable[[Values], Values]
_HEADER = 128
_COLOUR_SPACE = slice(16, 20)


def to_srgb_by_matrix(values: Values, profile: bytes) -> Values | None:
    """Converts (H, W, 1 or 3) in [0, 1] to sRGB, clipped to [0, 1]; None if the profile has another form.

    The intent is relative colorimetric.
    """
    try:
        tags, space = _tags(profile), profile[_COLOUR_SPACE]
        if b"A2B0" in tags or space != {1: b"GRAY", 3: b"RGB "}[values.shape[-1]]:
            return None
        if space == b"GRAY":
            return _encoded(_curve(tags[b"kTRC"])(values))
        light = np.stack([_curve(tags[c + b"TRC"])(values[..., i]) for i, c in enumerate((b"r", b"g", b"b"))], -1)
        return _encoded(light @ (_from_xyz() @ _matrix(tags)).T)
    except (KeyError, struct.error, IndexError):
        return None


def _tags(profile: bytes) -> Mapping[bytes, bytes]:
    """Returns signature -> content of each tag."""
    (count,) = struct.unpack_from(">I", profile, _HEADER)
    table = [struct.unpack_from(">4sII", profile, _HEADER + 4 + 12 * i) for i in range(min(count, 1000))]
    return {signature: profile[start : start + size] for signature, start, size in table}


def _matrix(tags: Mapping[bytes, bytes]) -> Values:
    """Returns the matrix from linear channels to XYZ of D50, (3, 3)."""
    columns = [struct.unpack_from(">3i", tags[name + b"XYZ"], 8) for name in (b"r", b"g", b"b")]
    return np.array(columns, dtype=np.float64).T / 65536


@functools.cache
def _from_xyz() -> Values:
    """Returns the matrix from XYZ of D50 to linear sRGB, (3, 3)."""
    inverse: Values = np.linalg.inv(_matrix(_tags(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())))
    return inverse


def _curve(tag: bytes) -> Curve:
    """Returns the curve of a tag, from a channel to light. Raises KeyError for a type that ICC.1 does not have."""
    if tag[:4] == b"para":
        (kind,) = struct.unpack_from(">H", tag, 8)
        number = {0: 1, 1: 3, 2: 4, 3: 5, 4: 7}[kind]
        return _parametric(kind, [p / 65536 for p in struct.unpack_from(f">{number}i", tag, 12)])
    if tag[:4] != b"curv":
        raise KeyError(tag[:4])
    (count,) = struct.unpack_from(">I", tag, 8)
    if count < 2:
        gamma = struct.unpack_from(">H", tag, 12)[0] / 256 if count else 1.0
        return lambda x: x**gamma
    table = np.frombuffer(tag, ">u2", count, 12) / 65535
    return lambda x: np.interp(x, np.linspace(0, 1, count), table)


def _parametric(kind: int, parameters: list[float]) -> Curve:
    """Returns a curve of ICC.1:2022, table 68: y = (a x + b)^g + e from d on, and y = c x + f below."""
    g, a, b, c, d, e, f = [*parameters, *[0.0] * (7 - len(parameters))]
    if kind == 0:
        a, d = 1.0, 0.0
    elif kind in (1, 2):
        # below -b / a the curve is constant; the fourth parameter of type 2 is added everywhere
        e, f, c, d = c, c, 0.0, -b / a
    return lambda x: np.where(x >= d, np.maximum(a * x + b, 0) ** g + e, c * x + f)


def _encoded(light: Values) -> Values:
    """Encodes linear light by sRGB's curve (IEC 61966-2-1)."""
    light = light.clip(0, 1)
    encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    return encoded.astype(np.float32)
