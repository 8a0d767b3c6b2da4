"""Measures how far a change of a picture reaches.

Tiles agree with the whole picture only if that distance is bounded.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from texprior.testing.material import gap, photographs

LENGTH, CHANGED, FAR = 512, 16, 368
"""Length of the strip, length of its changed end, and the distance from which on nothing may change; all in px.

The distance must exceed the reach of a local network (154 px for the default UNet, docs/adr/0003), and leave enough of
the strip to compare. Statistics over the whole picture reach any distance.
"""


def strip() -> Tensor:
    """Returns a strip of a photograph and its mirror image, (1, 3, 16, 512)."""
    half = photographs(1, 16, LENGTH // 2)
    return torch.cat([half, half.flip(-1)], -1)


def leak(function: Callable[[Tensor], Tensor]) -> float:
    """Returns how much the result changes far from a change of the input.

    Far means a distance of at least ``FAR`` px.
    """
    before, after = strip(), strip()
    after[..., :CHANGED] = 1 - after[..., :CHANGED]
    return gap(function(before)[..., CHANGED + FAR :], function(after)[..., CHANGED + FAR :])
