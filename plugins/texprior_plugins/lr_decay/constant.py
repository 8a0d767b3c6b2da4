"""Keeps the learning rate."""

from __future__ import annotations

from texprior.plugin import Options


class Constant:
    """The learning rate does not change."""

    def __init__(self, options: Options) -> None:
        pass

    def __call__(self, share: float) -> float:
        """Returns 1."""
        return 1.0
