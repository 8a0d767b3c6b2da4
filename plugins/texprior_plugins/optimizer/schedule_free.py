"""Makes AdamW without a schedule (Defazio et al. 2024)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from texprior.errors import ConfigError
from texprior.flow.optimize import Group
from texprior_plugins.optimizer import ScheduleFreeOptions


class ScheduleFree:
    """AdamW on an interpolation of two sequences of weights, one of which is their average, from ``schedulefree``.

    The average is weighted by the square of the largest learning rate so far, so that the warm-up counts little. Raises
    ConfigError if the package is not installed.
    """

    def __init__(self, options: ScheduleFreeOptions) -> None:
        self.options, self.kind = options, _kind()

    def __call__(self, groups: Sequence[Group], lr: float) -> torch.optim.Optimizer:
        """Returns the optimizer with a group for each group."""
        o = self.options
        parts = [{"params": list(g.parameters), "weight_decay": g.weight_decay, "lr": lr * g.lr_factor} for g in groups]
        made: torch.optim.Optimizer = self.kind(parts, lr=lr, betas=(o.beta1, o.beta2), eps=o.eps)
        return made


def _kind() -> Any:
    try:
        from schedulefree import AdamWScheduleFree
    except ImportError as error:
        reason = f"schedulefree cannot be imported ({error}); pip install 'texprior[schedulefree]'"
        raise ConfigError(f"optimizer schedule-free: {reason}") from None
    return AdamWScheduleFree
