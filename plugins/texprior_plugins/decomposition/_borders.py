"""Pads pictures with their mirror image, to any width."""

from __future__ import annotations

import torch
from torch import Tensor


def mirrored(image: Tensor, before: int, after: int, axis: int, edge_twice: bool = True) -> Tensor:
    """Pads a picture along an axis with its mirror image.

    The result is ``b a | a b c``, or ``c b | a b c`` if ``edge_twice`` is false. Unlike ``torch.nn.functional.pad`` it
    allows any width, because the mirror image is mirrored again. So a filter may be wider than the picture.
    """
    n = image.shape[axis]
    # The mirrored picture is periodic. The maximum is for a picture of one pixel, whose period would be 0.
    period = 2 * n if edge_twice else max(2 * n - 2, 1)
    place = torch.arange(-before, n + after, device=image.device).remainder(period)
    return image.index_select(axis, torch.minimum(place, period - place - int(edge_twice)))
