"""Defines how the weights of a network change: the optimizer, and the decay of its learning rate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import nn


class Group(NamedTuple):
    """Parameters that are trained alike."""

    parameters: Sequence[nn.Parameter]
    """May be empty."""
    weight_decay: float
    lr_factor: float = 1.0
    """The learning rate of the group, divided by that of the training."""


class OptimizerFactory(Protocol):
    """The contract of an optimizer, which is built as ``Impl(options)``."""

    def __call__(self, groups: Sequence[Group], lr: float) -> torch.optim.Optimizer:
        """Returns a new optimizer with one parameter group for each group.

        The platform sets the ``lr`` of its groups before each step. Its state is stored in checkpoints: the tensors of
        each parameter, and the numbers of each group. If the record says ``averages=True``, the optimizer has the
        methods ``train`` and ``eval``; after ``eval`` the parameters are the averages.
        """
        ...


class LearningRateDecay(Protocol):
    """The contract of a decay of the learning rate, which is built as ``Impl(options)``."""

    def __call__(self, share: float) -> float:
        """Returns the factor of the learning rate, at least 0.

        ``share`` is the images seen divided by the budget, in [0, 1]. The warm-up is multiplied by the platform.
        """
        ...
