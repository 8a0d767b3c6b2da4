"""Makes any optimizer of ``torch.optim`` by its name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from texprior.errors import ConfigError
from texprior.flow.optimize import Group
from texprior_plugins.optimizer import TorchOptions

_OF_THE_TRAINING = ("params", "lr", "weight_decay")
"""Arguments that the platform passes."""


class AnyOfTorch:
    """An optimizer of torch with its arguments.

    Raises ConfigError if the name is none, if the optimizer refuses the arguments, if it cannot take a step with the
    gradients of a network, or if it takes no notice of the learning rate after its first step. To find out, the
    constructor trains two small parameters.
    """

    def __init__(self, options: TorchOptions) -> None:
        self.name, self.arguments = options.name, dict(options.arguments)
        self.kind = self._kind()
        if taken := [name for name in _OF_THE_TRAINING if name in self.arguments]:
            raise ConfigError(f"optimizer torch: {taken[0]} is no argument here; the training has it (training.STAGE)")
        self._try()

    def __call__(self, groups: Sequence[Group], lr: float) -> torch.optim.Optimizer:
        """Returns the optimizer with a group for each group."""
        parts = [{"params": list(g.parameters), "weight_decay": g.weight_decay, "lr": lr * g.lr_factor} for g in groups]
        made: torch.optim.Optimizer = self.kind(parts, lr=lr, **self.arguments)
        return made

    def _kind(self) -> Any:
        kind = getattr(torch.optim, self.name, None)
        if not (isinstance(kind, type) and issubclass(kind, torch.optim.Optimizer)) or kind is torch.optim.Optimizer:
            raise ConfigError(f"optimizer torch: torch.optim has no optimizer '{self.name}', such as SGD")
        return kind

    def _try(self) -> None:
        # a convolution's weight and a bias: some optimizers take matrices only
        weights = [nn.Parameter(torch.ones(4, 3, 3, 3)), nn.Parameter(torch.ones(4))]
        try:
            made = self([Group(weights, 0.0)], 1e-3)
        except Exception as error:
            raise ConfigError(f"optimizer torch: {self.name} refuses: {_line(error)}") from None
        try:
            _step(made, weights)
        except Exception as error:
            reason = f"{self.name} cannot take a step with the gradients of a network: {_line(error)}"
            raise ConfigError(f"optimizer torch: {reason}") from None
        made.param_groups[0]["lr"] = 0.0
        # ASGD computes the next step's rate at the end of a step, so that one more may change the weights
        _step(made, weights)
        before = [w.detach().clone() for w in weights]
        _step(made, weights)
        if not all(torch.equal(w, b) for w, b in zip(weights, before, strict=True)):
            reason = "takes no notice of the learning rate after its first step, so that warm-up and decay do nothing"
            raise ConfigError(f"optimizer torch: {self.name} {reason}")


def _step(optimizer: torch.optim.Optimizer, weights: Sequence[nn.Parameter]) -> None:
    for weight in weights:
        weight.grad = torch.ones_like(weight)
    optimizer.step()


def _line(error: Exception) -> str:
    """Returns an error's message on one line."""
    return " ".join(str(error).split())
