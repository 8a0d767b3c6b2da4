"""Defines what a training minimises.

Stage I and the adapter learn a layer at a noise level; the predictor learns a picture, without a noise level.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from texprior.errors import ConfigError
from texprior.flow.contract import require_tensor


class StepTensors(dict[str, Tensor]):
    """The tensors of a training step by name. One that is not there raises ConfigError, which lists those that are."""

    def __missing__(self, name: str) -> Tensor:
        raise ConfigError(
            f"a loss asks for '{name}' of the training step, which has: {', '.join(sorted(self))}; what a degradation "
            "draws is there as 'drawn/NAME' if it tells it"
        )


@dataclass(frozen=True)
class Learned:
    """What a network estimated in a training step, and what it should have; all are float32, on the device."""

    estimate: Tensor
    """The denoiser's estimate D of the clean layer, or the predictor's estimate of the clean picture, (B, 3, H, W)."""
    target: Tensor
    """The clean layer, or the clean picture, (B, 3, H, W)."""
    base: Tensor
    """The picture that the layer is added to, (B, 3, H, W); zeros for the predictor."""
    scale: float = 1.0
    """The standard deviation of the layer, in units of the picture; 1 for the predictor."""
    sigma: Tensor | None = None
    """The noise levels, (B,), of a layer of unit standard deviation; None for the predictor."""
    output: Tensor | None = None
    """The output F of the denoiser, (B, 3, H, W); None for the predictor."""
    output_target: Tensor | None = None
    """What F should be: its variance is 1 at every noise level. None for the predictor."""
    inputs: Mapping[str, Tensor] = field(default_factory=dict)
    """Further tensors of the step by name: ``condition`` and ``code`` in the trainings of the layer; ``degraded`` in
    Stage II, with what its degradation tells as ``drawn/NAME``; ``estimate``, the predictor's, for the adapter."""
    auxiliary: Mapping[str, Tensor] = field(default_factory=dict)
    """What a predictor returned besides its estimate: floating-point tensors are float32."""

    def picture(self, layer_BCHW: Tensor) -> Tensor:
        """Returns the picture with a layer, base + scale * layer, unclipped."""
        return self.base + self.scale * layer_BCHW

    def detached(self) -> Learned:
        """Returns the same without gradients."""
        output = None if self.output is None else self.output.detach()
        auxiliary = {name: tensor.detach() for name, tensor in self.auxiliary.items()}
        return replace(self, estimate=self.estimate.detach(), output=output, auxiliary=auxiliary)


class Objective(nn.Module, ABC):
    """The contract of an objective, which is built as ``Impl(options)``.

    Its parameters with ``requires_grad``, if any, are trained together with the network, by ``own_loss``; the record
    then says ``trained=True``. They are stored in checkpoints, but not with the finished weights.
    """

    own_lr: float = 1.0
    """The learning rate of these parameters, divided by that of the network."""

    @abstractmethod
    def forward(self, learned: Learned) -> Tensor:
        """Returns the loss of each picture, (B,), that the network minimises."""

    def own_loss(self, learned: Learned) -> Tensor | None:
        """Returns the loss of each picture, (B,), that the objective's own parameters minimise.

        None if it has none. ``learned`` is detached from the network.
        """
        return None


def objective_loss(objective: Objective, learned: Learned) -> Tensor:
    """Returns the loss of each picture, (B,), with that of the objective's own parameters added.

    The first gives no gradient to these parameters, the second none to the network, so that one backward pass serves
    both. Raises ContractError if a loss has another shape.
    """
    own = [p for p in objective.parameters() if p.requires_grad]
    for parameter in own:
        parameter.requires_grad_(False)
    try:
        loss = _checked(objective, objective(learned), learned)
    finally:
        for parameter in own:
            parameter.requires_grad_(True)
    if not own or not torch.is_grad_enabled():
        return loss
    further = objective.own_loss(learned.detached())
    if further is None:
        return loss
    further = _checked(objective, further, learned)
    # the value stays that of the network's loss, which is what is logged
    return loss + (further - further.detach())


def _checked(objective: Objective, loss: object, learned: Learned) -> Tensor:
    return require_tensor(objective, loss, (len(learned.target),), learned.target, "the loss", any_float=True)
