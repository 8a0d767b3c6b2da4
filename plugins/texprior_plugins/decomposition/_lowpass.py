"""What is left of a picture when the finest bands of a pyramid are taken away."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

Down = Callable[[Tensor], Tensor]
Up = Callable[[Tensor, tuple[int, int]], Tensor]


def lowpass(image: Tensor, levels: float, down: Down, up: Up) -> Tensor:
    """The picture without its ``levels`` finest bands; of the last one, so large a share as the fraction says.

    ``down`` gives a coarser picture, ``up`` a picture of a given height and width from a coarser one. The bands are the
    differences x - up(down(x)); 1.5 takes the first away and one half of the second.
    """
    if levels <= 0:
        return image
    height, width = image.shape[-2:]
    coarse = up(lowpass(down(image), levels - 1, down, up), (height, width))
    return image + min(levels, 1.0) * (coarse - image)
