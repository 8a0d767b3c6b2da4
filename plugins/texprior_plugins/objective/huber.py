"""Measures the pseudo-Huber error, which is quadratic for small errors and linear for large ones."""

from __future__ import annotations

from torch import Tensor

from texprior.flow.objective import Learned, Objective
from texprior_plugins.objective import HuberOptions
from texprior_plugins.objective._levels import per_picture, residual


class PseudoHuber(Objective):
    """The mean of sqrt(r^2 + delta^2) - delta, with r = w(sigma) (D - x_0).

    Without the constant it is the Charbonnier loss (Charbonnier et al. 1994), whose gradient is the same.
    """

    def __init__(self, options: HuberOptions) -> None:
        super().__init__()
        self.weight, self.delta = options.weight, options.delta

    def forward(self, learned: Learned) -> Tensor:
        """Returns the mean over each picture, (B,)."""
        r = residual(learned, self.weight)
        # Equal to the root minus delta. For small r that difference would lose its digits.
        return per_picture(r.square() / ((r.square() + self.delta**2).sqrt() + self.delta))
