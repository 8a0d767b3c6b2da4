"""Makes a first, over-smooth estimate of the clean picture with the initial predictor."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn


class InitialPredictor(nn.Module, ABC):
    """The contract of a predictor: a network with its own loss.

    It is built as ``Impl(options)``, and is for pictures of any size. A predictor without trainable parameters is used
    as it is, without training.
    """

    stride: int = 1
    """Pixels of the picture per position of the coarsest grid. Tiles of a large picture start at multiples of it."""

    @abstractmethod
    def forward(self, degraded_BCHW: Tensor) -> Tensor:
        """Returns the estimate y_eps, (B, 3, H, W), unclipped, for pictures in [0, 1]."""

    @property
    def needs_training(self) -> bool:
        """Whether the predictor has a trainable parameter."""
        return any(p.requires_grad for p in self.parameters())

    @abstractmethod
    def loss(self, estimate_BCHW: Tensor, clean_BCHW: Tensor) -> Tensor:
        """Returns the loss per image, (B,)."""


@torch.no_grad()
def predict(degraded_BCHW: Tensor, predictor: InitialPredictor) -> Tensor:
    """Returns the estimate y_eps, detached and clipped to [0, 1]."""
    estimate: Tensor = predictor(degraded_BCHW)
    return estimate.clamp(0, 1)
