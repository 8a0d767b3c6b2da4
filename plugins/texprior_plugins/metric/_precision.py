"""Chooses the precision of the metrics, and what they keep of a reference."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor

KEPT_PX = 2**20
"""Pixels of the largest reference whose activations are kept: those of VGG16 take 0.5 kB a pixel."""


def working(image: Tensor) -> Tensor:
    """Converts the picture to float64.

    It stays on its device, or moves to the CPU if the device has no float64.
    Variances computed as E[x^2] - E[x]^2 lose too many digits in float32, and a score must not depend on the device.
    """
    return (image.cpu() if lacks_double(image.device) else image).double()


def lacks_double(device: torch.device) -> bool:
    """Returns whether the device has no float64, as Apple's devices."""
    return device.type == "mps"


def computed_once(
    activations: Callable[[], Iterator[Tensor]], reference_BCHW: Tensor
) -> Callable[[], Iterable[Tensor]]:
    """Returns a function that returns a reference's activations, computed now.

    They are float32. Those of a reference above ``KEPT_PX`` are computed again at each call, layer by layer.
    """
    if reference_BCHW[:, 0].numel() > KEPT_PX:
        return activations
    with torch.autocast(reference_BCHW.device.type, enabled=False):
        kept = list(activations())
    return lambda: kept
