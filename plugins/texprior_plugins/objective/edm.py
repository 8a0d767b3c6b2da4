"""Measures the squared error of the denoiser's output."""

from __future__ import annotations

from torch import Tensor

from texprior.flow.objective import Learned, Objective
from texprior.plugin import Options


class Edm(Objective):
    """lambda(sigma) |D - x_0|^2 with lambda = 1 / c_out^2, the squared error of F (Karras et al. 2022, eq. 8)."""

    def __init__(self, options: Options) -> None:
        super().__init__()

    def forward(self, learned: Learned) -> Tensor:
        """Returns the mean over each picture, (B,)."""
        assert learned.output is not None
        assert learned.output_target is not None
        return (learned.output - learned.output_target).square().mean(dim=(1, 2, 3))
