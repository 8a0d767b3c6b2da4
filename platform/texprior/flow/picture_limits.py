"""Opens picture files of any size up to a limit that the user can lift."""

from __future__ import annotations

import contextlib
import math
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from texprior.errors import ConfigError, ImageError

VARIABLE = "TEXPRIOR_MAX_MEGAPIXELS"
DEFAULT_MEGAPIXELS = 178.0
"""Pillow refuses pictures above 178 megapixels, as a small file may claim more pixels than there is memory."""

_lock = threading.Lock()
_inside = 0
_pillows_own: int | None = None


@contextlib.contextmanager
def opened(path: Path | str) -> Iterator[Image.Image]:
    """Opens a picture; Pillow's limit of pixels is replaced by that of ``TEXPRIOR_MAX_MEGAPIXELS``.

    Raises ImageError if the picture has more, and ConfigError if the variable is no number above 0.
    """
    limit = max_megapixels()
    with _without_pillows_limit(), Image.open(path) as image:
        megapixels = image.width * image.height / 1e6
        if megapixels > limit:
            raise ImageError(
                f"{path}: {image.width}x{image.height} px are {megapixels:.4g} megapixels, and the limit is {limit:g}, "
                f"since a broken or hostile file may claim any size; set {VARIABLE}={math.ceil(megapixels)} to read it"
            )
        yield image


def max_megapixels() -> float:
    """Returns the largest picture that is read, in megapixels. Raises ConfigError if the variable is no such number."""
    text = os.environ.get(VARIABLE) or str(DEFAULT_MEGAPIXELS)
    try:
        limit = float(text)
    except ValueError:
        limit = math.nan
    if not limit > 0:
        raise ConfigError(f"{VARIABLE}={text}: expected a number of megapixels above 0, such as 400")
    return limit


@contextlib.contextmanager
def _without_pillows_limit() -> Iterator[None]:
    """Lifts Pillow's limit, which is global, while any thread is inside."""
    global _inside, _pillows_own
    with _lock:
        if _inside == 0:
            _pillows_own, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        _inside += 1
    try:
        yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                Image.MAX_IMAGE_PIXELS = _pillows_own
