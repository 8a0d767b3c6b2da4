"""How far a change of a picture reaches: a picture can be computed in tiles only where that is bounded."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from texprior.testing.material import gap, photographs

LENGTH, CHANGED, FAR = 512, 16, 368
"""px: of a strip, of its end that is changed, and the distance from there on that must not notice."""


def strip() -> Tensor:
    """A strip of a photograph and its mirror image, (1, 3, 16, 512)."""
    half = photographs(1, 16, LENGTH // 2)
    return torch.cat([half, half.flip(-1)], -1)


def leak(function: Callable[[Tensor], Tensor]) -> float:
    """By how much the result changes far from a change of its input."""
    before, after = strip(), strip()
    after[..., :CHANGED] = 1 - after[..., :CHANGED]
    return gap(function(before)[..., CHANGED + FAR :], function(after)[..., CHANGED + FAR :])
