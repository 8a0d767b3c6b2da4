"""Makes torch's AdamW (Loshchilov & Hutter 2019)."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from texprior.flow.optimize import Group
from texprior_plugins.optimizer import AdamWOptions

_FUSED = ("cpu", "cuda")
"""The types of devices on which torch has the update as one kernel."""


class AdamW:
    """AdamW, fused where torch can: one pass over the weights, instead of one for each operation of the update."""

    def __init__(self, options: AdamWOptions) -> None:
        self.options = options

    def __call__(self, groups: Sequence[Group], lr: float) -> torch.optim.Optimizer:
        """Returns the optimizer with a group for each group."""
        o = self.options
        parts = [{"params": list(g.parameters), "weight_decay": g.weight_decay, "lr": lr * g.lr_factor} for g in groups]
        fused = all(p.device.type in _FUSED for g in groups for p in g.parameters)
        return torch.optim.AdamW(parts, lr=lr, betas=(o.beta1, o.beta2), eps=o.eps, fused=fused)
