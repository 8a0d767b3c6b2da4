"""Accumulates mean and variance over values that come in portions."""

from __future__ import annotations

from torch import Tensor


class Moments:
    """Sums numbers that come in portions, for their mean and variance."""

    def __init__(self) -> None:
        self.count, self.total, self.squares = 0, 0.0, 0.0

    def add(self, values: Tensor) -> None:
        # sums over millions of values in float64: the variance is a small difference of two large sums
        wide = values.double()
        self.count += wide.numel()
        self.total += float(wide.sum())
        self.squares += float(wide.square().sum())

    def variance(self) -> float:
        """Returns the variance about the mean, divided by the count."""
        # rounding may make the variance of constant numbers slightly negative
        return max(self.squares / self.count - (self.total / self.count) ** 2, 0.0)
