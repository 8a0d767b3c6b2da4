"""Exchanges a rectangle of the degraded and the clean picture."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from texprior.flow.augment import is_picture
from texprior_plugins.augmentation import CutBlurOptions


class CutBlur:
    """Shows the network where there is nothing to restore (Yoo et al. 2020, arXiv 2004.00448, section 3.1).

    Half of the changed patches are degraded with a clean rectangle, the others clean with a degraded one; the target
    stays. The paper varies ``side`` by a standard deviation of 0.01; here it is fixed. The patches of the adapter's
    training stay as they are: what was derived from the degraded picture would no longer belong to it. Those of Stage I
    have no degraded picture.
    """

    def __init__(self, options: CutBlurOptions) -> None:
        self.options = options

    def __call__(self, patch: Mapping[str, Tensor], rng: torch.Generator) -> dict[str, Tensor]:
        """Returns the pictures; only ``degraded`` is changed."""
        pictures = {name for name in patch if is_picture(name)}
        if pictures != {"clean", "degraded"} or torch.rand((), generator=rng) >= self.options.probability:
            return dict(patch)
        inside, outside = patch["clean"], patch["degraded"]
        if torch.rand((), generator=rng) < 0.5:
            inside, outside = outside, inside
        rows, columns = (self._span(size, rng) for size in inside.shape[-2:])
        mixed = outside.clone()
        mixed[:, rows, columns] = inside[:, rows, columns]
        return {**patch, "degraded": mixed}

    def _span(self, size: int, rng: torch.Generator) -> slice:
        length = max(1, round(self.options.side * size))
        start = int(torch.randint(size - length + 1, (), generator=rng))
        return slice(start, start + length)
