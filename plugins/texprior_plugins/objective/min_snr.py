"""Measures the squared error of the estimate, weighted by a bounded signal-to-noise ratio."""

from __future__ import annotations

from torch import Tensor

from texprior.flow.objective import Learned, Objective
from texprior_plugins.objective import MinSnrOptions
from texprior_plugins.objective._levels import per_picture


class MinSnr(Objective):
    """min(SNR, gamma) |D - x_0|^2 (Hang et al. 2023); SNR = 1 / sigma^2 for a layer of unit variance."""

    def __init__(self, options: MinSnrOptions) -> None:
        super().__init__()
        self.gamma = options.gamma

    def forward(self, learned: Learned) -> Tensor:
        """Returns the mean over each picture, (B,)."""
        assert learned.sigma is not None
        weight = (1 / learned.sigma.square()).clamp(max=self.gamma)
        return weight * per_picture((learned.estimate - learned.target).square())
