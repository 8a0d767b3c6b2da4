"""Lowers the learning rate along half a cosine."""

from __future__ import annotations

import math

from texprior.plugin import Options


class Cosine:
    """The factor (1 + cos(pi share)) / 2 (Loshchilov & Hutter 2017, arXiv 1608.03983, eq. 5, without restarts)."""

    def __init__(self, options: Options) -> None:
        pass

    def __call__(self, share: float) -> float:
        """Returns the factor, 1 at a share of 0 and 0 at 1."""
        return 0.5 * (1 + math.cos(math.pi * share))
