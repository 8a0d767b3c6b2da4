"""Takes pictures that a script holds: tensors, numpy arrays and PIL images."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor

from texprior.errors import ImageError
from texprior.flow.pixels import on_white, picture_of, require_values

_WHITE = {torch.uint8: 255.0, torch.uint16: 65535.0}
"""White of integers; that of floats is 1."""
_CHANNELS = (1, 3, 4)


def as_picture(image: Tensor | NDArray[Any] | Image.Image) -> Tensor:
    """Converts a picture that a script holds to (3, H, W) float32 in [0, 1].

    A tensor has the form (C, H, W) or (H, W), an array (H, W, C) or (H, W), each also as a batch of one. C is 1 (grey),
    3 (RGB) or 4 (RGB and alpha, which is composed on white). Values are floats in [0, 1], uint8 or uint16. A PIL image
    is read like a file: upright, in sRGB. Raises ImageError for anything else, with the shape, type or range found.
    """
    if isinstance(image, Image.Image):
        try:
            # Pillow opens a file lazily, so that a broken one raises here
            upright = ImageOps.exif_transpose(image)
        except (OSError, SyntaxError, ValueError) as error:
            raise ImageError(f"the picture cannot be read ({error})") from None
        return picture_of(upright, "the picture").colour
    if isinstance(image, np.ndarray):
        return _from_array(image)
    if isinstance(image, Tensor) and (image.layout != torch.strided or image.is_meta):
        raise ImageError("a tensor without its values in memory, such as a sparse one, is no picture")
    if not isinstance(image, Tensor):
        raise ImageError(
            f"a picture is a file, a PIL image, an array (H, W, 3) or a tensor (3, H, W), not {type(image).__name__}"
        )
    return _from_tensor(image, f"a tensor of shape {tuple(image.shape)}", "(3, H, W)")


def _from_array(array: NDArray[Any]) -> Tensor:
    what = f"an array of shape {array.shape}"
    if array.dtype.kind != "f" and array.dtype not in (np.uint8, np.uint16):
        raise ImageError(f"{what} and type {array.dtype} is no picture; give uint8, uint16, or floats in [0, 1]")
    # native byte order, and no negative strides, which torch does not take; longdouble has no torch type
    kind = np.float64 if array.dtype.kind == "f" else array.dtype.newbyteorder("=")
    image = torch.from_numpy(np.array(array, dtype=kind))
    channels_first = image.movedim(-1, -3) if image.ndim > 2 else image
    return _from_tensor(channels_first, what, "(H, W, 3)")


def _from_tensor(image: Tensor, what: str, form: str) -> Tensor:
    if image.ndim == 4 and len(image) == 1:
        image = image[0]
    if image.ndim == 4:
        raise ImageError(f"{what} is a batch; give one picture {form} at a time")
    image = image[None] if image.ndim == 2 else image
    if image.ndim != 3 or len(image) not in _CHANNELS or image.numel() == 0:
        raise ImageError(f"{what} is no picture; give {form}, or (H, W) for grey, with 1, 3 or 4 channels")
    if not image.is_floating_point() and image.dtype not in _WHITE:
        raise ImageError(f"{what} and type {image.dtype} is no picture; give uint8, uint16, or floats in [0, 1]")
    return on_white(require_values(image.detach().float(), what, _WHITE.get(image.dtype, 1.0)))
