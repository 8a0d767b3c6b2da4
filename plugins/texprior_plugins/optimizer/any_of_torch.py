"""Makes any optimizer of ``torch.optim`` by its name."""

from __future__ import annotations

import inspect
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

    Raises ConfigError if the name is none, if the optimizer refuses the arguments, or if it cannot take a step with the
    gradients of a network. To find out, the constructor takes one step of two small parameters.
    """

    def __init__(self, options: TorchOptions) -> None:
        self.name, self.arguments = options.name, dict(options.arguments)
        self.kind = self._kind()
        self.takes_weight_decay = "weight_decay" in inspect.signature(self.kind).parameters
        if taken := [name for name in _OF_THE_TRAINING if name in self.arguments]:
            raise ConfigError(f"optimizer torch: {taken[0]} is no argument here; the training has it (training.STAGE)")
        self._try()

    def __call__(self, groups: Sequence[Group], lr: float) -> torch.optim.Optimizer:
        """Returns the optimizer with a group for each group.

        Raises ConfigError if weight decay is wanted of an optimizer that has none.
        """
        if not self.takes_weight_decay and any(g.weight_decay for g in groups):
            raise ConfigError(f"optimizer torch: {self.name} has no weight decay; set training.STAGE.weight_decay to 0")
        parts: list[dict[str, Any]] = [{"params": list(g.parameters), "lr": lr * g.lr_factor} for g in groups]
        if self.takes_weight_decay:
            parts = [{**part, "weight_decay": g.weight_decay} for part, g in zip(parts, groups, strict=True)]
        return self.kind(parts, lr=lr, **self.arguments)

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
        for weight in weights:
            weight.grad = torch.ones_like(weight)
        try:
            made.step()
        except Exception as error:
            reason = f"{self.name} cannot take a step with the gradients of a network: {_line(error)}"
            raise ConfigError(f"optimizer torch: {reason}") from None


def _line(error: Exception) -> str:
    """Returns an error's message on one line."""
    return " ".join(str(error).split())
