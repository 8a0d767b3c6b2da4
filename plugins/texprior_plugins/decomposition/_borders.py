"""Pictures continued beyond their borders by their mirror image, to any distance."""

from __future__ import annotations

import torch
from torch import Tensor


def mirrored(image: Tensor, before: int, after: int, axis: int, edge_twice: bool = True) -> Tensor:
    """The picture with more pixels along an axis: ``b a | a b c``, or ``c b | a b c`` where the edge comes once.

    Unlike ``torch.nn.functional.pad`` it goes on for ever: the mirror image is itself mirrored, so that a filter may be
    wider than the picture.
    """
    n = image.shape[axis]
    period = 2 * n if edge_twice else max(2 * n - 2, 1)
    place = torch.arange(-before, n + after, device=image.device).remainder(period)
    return image.index_select(axis, torch.minimum(place, period - place - int(edge_twice)))
