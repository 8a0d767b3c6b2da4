"""Checks pictures and converts their colour spaces, for all metrics."""

from __future__ import annotations

import torch
from torch import Tensor

from texprior.errors import ConfigError, ImageError
from texprior_plugins.metric._precision import working

# BT.601 luma with all digits of MATLAB's rgb2gray and rgb2ntsc, not the short .299, .587, .114: with these digits no
# weighted sum of whole numbers is halfway between two, so that rounding to 8 bits is unambiguous
_LUMA = (0.298936021293775, 0.587043074451121, 0.114020904255103)
# BT.601 luma in studio swing, with black at 16 and white at 235 of 255, as in MATLAB's rgb2ycbcr
_STUDIO_OFFSET, _STUDIO_WEIGHTS = 16 / 255, (65.481 / 255, 128.553 / 255, 24.966 / 255)


def check_picture(key: str, image_BCHW: Tensor, minimum: int = 1) -> None:
    """Raises ImageError if the pictures are not RGB or a side is below ``minimum`` px."""
    if image_BCHW.ndim != 4 or image_BCHW.shape[1] != 3:
        raise ImageError(f"{key}: pictures of shape (B, 3, H, W) are needed, these are {tuple(image_BCHW.shape)}")
    height, width = image_BCHW.shape[-2:]
    if min(height, width) < minimum:
        raise ImageError(f"{key}: a picture of {width}x{height} px is too small, each side needs {minimum} px or more")


def check_pair(key: str, image_BCHW: Tensor, reference_BCHW: Tensor | None, minimum: int = 1) -> Tensor:
    """Checks a picture and its reference, and returns the reference.

    Raises ConfigError if there is no reference, and ImageError if the two do not fit.
    """
    if reference_BCHW is None:
        raise ConfigError(f"{key} needs a reference picture, and none was passed; niqe needs no reference")
    check_picture(key, image_BCHW, minimum)
    if image_BCHW.shape != reference_BCHW.shape:
        shapes = f"{tuple(image_BCHW.shape)} and {tuple(reference_BCHW.shape)}"
        raise ImageError(f"{key}: picture and reference differ in shape, {shapes}")
    return reference_BCHW


def to_space(image_BCHW: Tensor, space: str) -> Tensor:
    """Converts RGB in [0, 1] to a colour space, in float64.

    The result is (B, 3, H, W) for ``rgb`` and (B, 1, H, W) for ``y`` or ``yiq_rounded``.
    """
    image = working(image_BCHW)
    if space == "y":
        return luma_studio(image)
    if space == "yiq_rounded":
        return luma_rounded(image)
    return image


def luma_studio(rgb_BCHW: Tensor) -> Tensor:
    """Returns Y of BT.601 in studio swing, [16/255, 235/255], unrounded, (B, 1, H, W).

    This is the Y of restoration papers.
    """
    return _weighted(rgb_BCHW, _STUDIO_WEIGHTS) + _STUDIO_OFFSET


def luma_rounded(rgb_BCHW: Tensor) -> Tensor:
    """Returns Y of YIQ rounded to 8 bits, in [0, 1], (B, 1, H, W).

    This is BT.601 luma in full swing, as in MATLAB's rgb2gray.
    """
    return (_weighted(rgb_BCHW, _LUMA) * 255).round() / 255


def _weighted(rgb_BCHW: Tensor, weights: tuple[float, float, float]) -> Tensor:
    weight_C = torch.tensor(weights, dtype=rgb_BCHW.dtype, device=rgb_BCHW.device)
    return (rgb_BCHW * weight_C[:, None, None]).sum(1, keepdim=True)
