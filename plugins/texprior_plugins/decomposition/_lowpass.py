"""Removes the finest bands of a pyramid from a picture."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

Down = Callable[[Tensor], Tensor]
Up = Callable[[Tensor, tuple[int, int]], Tensor]


def lowpass(image: Tensor, levels: float, down: Down, up: Up) -> Tensor:
    """Returns the picture without its ``levels`` finest bands.

    ``down`` returns a coarser picture. ``up`` returns a picture of a given height and width from a coarser one. The
    bands are the differences x - up(down(x)). A fraction removes a share of the last band: 1.5 removes the first band
    and half of the second.
    """
    if levels <= 0:
        return image
    height, width = image.shape[-2:]
    coarse = up(lowpass(down(image), levels - 1, down, up), (height, width))
    return image + min(levels, 1.0) * (coarse - image)
