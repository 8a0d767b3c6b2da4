"""Lowers the learning rate along a straight line."""

from __future__ import annotations

from texprior_plugins.lr_decay import LinearOptions


class Linear:
    """The factor 1 - (1 - end) share."""

    def __init__(self, options: LinearOptions) -> None:
        self.end = options.end

    def __call__(self, share: float) -> float:
        """Returns the factor, 1 at a share of 0 and ``end`` at 1."""
        return 1 - (1 - self.end) * share
