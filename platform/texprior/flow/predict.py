"""predict: the initial predictor's first, over-smooth estimate of the clean picture."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class InitialPredictor(nn.Module, ABC):
    """The contract of a predictor: a network with its own loss, for pictures of any size.

    Built as ``Impl(options)``. One without a trainable parameter is taken as it is: its training is left out.
    """

    stride: int = 1
    """Pixels of the picture per position of the coarsest grid: tiles of a large picture lie on multiples of it."""

    @abstractmethod
    def forward(self, degraded_BCHW: Tensor) -> Tensor:
        """The estimate y_eps, (B, 3, H, W); pictures in [0, 1], the estimate unclipped."""

    @property
    def needs_training(self) -> bool:
        """Whether there is a parameter to train."""
        return any(p.requires_grad for p in self.parameters())

    @abstractmethod
    def loss(self, estimate_BCHW: Tensor, clean_BCHW: Tensor) -> Tensor:
        """The loss per image, (B,)."""


@torch.no_grad()
def predict(degraded_BCHW: Tensor, predictor: InitialPredictor) -> Tensor:
    """The estimate y_eps, detached and clipped to [0, 1]."""
    estimate: Tensor = predictor(degraded_BCHW)
    return estimate.clamp(0, 1)
