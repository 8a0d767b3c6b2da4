"""Holds pictures that are ready to be restored, each prepared once although controls use it again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from torch import Tensor

from texprior.config.schema import Sampling
from texprior.models.inputs import Inputs


class Prepared(NamedTuple):
    """A picture of the split with all that restoring it starts from.

    Pictures are (1, 3, H, W) on the device.
    """

    key: str
    reference: Tensor
    degraded: Tensor
    inputs: Inputs

    def derived(self, settings: Sampling) -> Inputs | None:
        """Returns the inputs that the picture is restored from; None if several orientations derive their own."""
        return self.inputs if settings.self_ensemble == 1 else None


class PreparedOnce:
    """Prepares pictures by their keys, and keeps each until it is forgotten."""

    def __init__(self, prepare: Callable[[str], Prepared]) -> None:
        self._prepare = prepare
        self._kept: dict[str, Prepared] = {}

    def __call__(self, key: str) -> Prepared:
        """Returns a picture. Raises ImageError, each time again, if it cannot be read."""
        if key not in self._kept:
            self._kept[key] = self._prepare(key)
        return self._kept[key]

    def forget(self, keys: Iterable[str]) -> None:
        """Frees the memory of pictures, of which some may not be kept."""
        for key in keys:
            self._kept.pop(key, None)
