"""Makes a first, over-smooth estimate of the clean picture with the initial predictor."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from torch import Tensor, nn

from texprior.flow.contract import inputs_kept, require_tensor


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


def estimated(
    degraded_BCHW: Tensor, predictor: InitialPredictor, call: Callable[[Tensor], Tensor] | None = None
) -> Tensor:
    """Returns what the predictor returns, unclipped, with its gradient.

    ``call`` is the compiled predictor, if it is compiled. Raises ContractError if that is not one estimate for each
    picture, of the picture's size.
    """
    with inputs_kept(predictor, picture=degraded_BCHW.detach()):
        found = (call or predictor)(degraded_BCHW)
    return require_tensor(predictor, found, degraded_BCHW.shape, degraded_BCHW, "the estimate", any_float=True)


def own_loss(predictor: InitialPredictor, estimate_BCHW: Tensor, clean_BCHW: Tensor) -> Tensor:
    """Returns the predictor's own loss per image, (B,). Raises ContractError if it has another shape."""
    found = predictor.loss(estimate_BCHW, clean_BCHW)
    return require_tensor(predictor, found, (len(clean_BCHW),), clean_BCHW, "the loss", any_float=True)


@torch.no_grad()
def predict(degraded_BCHW: Tensor, predictor: InitialPredictor) -> Tensor:
    """Returns the estimate y_eps, detached and clipped to [0, 1]. Raises ContractError; see ``estimated``."""
    estimate = estimated(degraded_BCHW, predictor)
    # infinity must not become white: what is not finite stays so, and is found
    return torch.where(estimate.isfinite(), estimate, torch.nan).clamp(0, 1)
