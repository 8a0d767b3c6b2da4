"""Measures the absolute error."""

from __future__ import annotations

from torch import Tensor

from texprior.flow.objective import Learned, Objective
from texprior_plugins.objective import WeightedOptions
from texprior_plugins.objective._levels import per_picture, residual


class L1(Objective):
    """The mean of w(sigma) |D - x_0|, with w = 1 / c_out or 1."""

    def __init__(self, options: WeightedOptions) -> None:
        super().__init__()
        self.weight = options.weight

    def forward(self, learned: Learned) -> Tensor:
        """Returns the mean over each picture, (B,)."""
        return per_picture(residual(learned, self.weight).abs())
