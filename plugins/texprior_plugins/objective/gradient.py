"""Measures the error of the differences between neighbouring pixels."""

from __future__ import annotations

from torch import Tensor

from texprior.flow.objective import Learned, Objective
from texprior_plugins.objective import WeightedOptions
from texprior_plugins.objective._levels import per_picture, residual


class Gradient(Objective):
    """The mean of w(sigma) |diff (D - x_0)| over rows plus that over columns (after Mathieu et al. 2016).

    It says nothing about the mean colour, so it needs another term beside it, see ``combined``. The paper compares
    absolute differences; here they keep their sign, so that a light edge is not taken for a dark one.
    """

    def __init__(self, options: WeightedOptions) -> None:
        super().__init__()
        self.weight = options.weight

    def forward(self, learned: Learned) -> Tensor:
        """Returns the sum of the two means of each picture, (B,)."""
        r = residual(learned, self.weight)
        return per_picture(r.diff(dim=-2).abs()) + per_picture(r.diff(dim=-1).abs())
