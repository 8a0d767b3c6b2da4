"""Checks the rules of optimizers, on weights of the shapes of a convolution and of a norm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from texprior.errors import ConfigError
from texprior.flow.optimize import Group, OptimizerFactory
from texprior.plugin import Optimizer
from texprior.testing.catalogue import check, declares
from texprior.testing.kinds.trained import stored_and_read
from texprior.testing.material import gap, gaussian, same
from texprior.testing.outcomes import NotRun, require
from texprior.testing.probe import PROBES, Buildable, Inputs, Probe, unmoved
from texprior.testing.subject import Subject

LR = 0.02
"""The learning rate of the checks: small beside the weights, which are around 1."""
STEPS = 4
_MANY = 60
"""Steps after which a loss must have fallen; with ``LR``, weights of size 1 can go the way to the minimum."""
_NUMBERS = (bool, int, float)
"""What a checkpoint keeps of a state, besides tensors."""
Weights = dict[str, nn.Parameter]


@dataclass
class Made:
    """A factory, and whether its optimizers keep an average."""

    factory: OptimizerFactory
    averages: bool

    def optimizer(self, weights: Weights, weight_decay: float = 0.0) -> torch.optim.Optimizer:
        """Returns an optimizer with a group of kernels, an empty group, and one of norms without weight decay."""
        groups = [Group([weights["kernel"]], weight_decay), Group([], 0.0), Group([weights["norm"]], 0.0, 0.5)]
        found = self.factory(groups, LR)
        if self.averages:
            found.train()  # type: ignore[attr-defined]
        return found


def _inputs() -> Inputs:
    return {"kernel": gaussian(4, 3, 3, 3, key="kernel"), "norm": gaussian(4, key="norm")}


def _make(subject: Buildable, changes: Mapping[str, Any] | None = None) -> Made:
    assert isinstance(subject, Subject)
    assert isinstance(subject.record, Optimizer)
    return Made(subject.build(changes), subject.record.averages)


def _weights(inputs: Inputs) -> Weights:
    return {name: nn.Parameter(tensor.clone()) for name, tensor in inputs.items()}


def _descend(optimizer: torch.optim.Optimizer, weights: Weights, steps: int) -> None:
    """Steps down the squared distance from 2, of which no weight is a fixed point."""
    for _ in range(steps):
        optimizer.zero_grad()
        with torch.enable_grad():
            loss = torch.stack([(w - 2).square().sum() for w in weights.values()]).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def _work(made: Made, inputs: Inputs) -> tuple[Tensor, ...]:
    weights = _weights(inputs)
    _descend(made.optimizer(weights), weights, STEPS)
    return tuple(weight.detach() for weight in weights.values())


PROBES["optimizer"] = Probe(_inputs, _work, make=_make, move=unmoved)


@check("optimizer.descends", "optimizer")
def descends(subject: Subject) -> None:
    """Sixty steps bring every parameter nearer to the minimum of a quadratic function, in float32.

    Fix: look at the sign of the update, and at parameters that are left out of the groups.
    """
    weights = _weights(_inputs())
    before = {name: float((w - 2).detach().norm()) for name, w in weights.items()}
    _descend(subject.probe.make(subject).optimizer(weights), weights, _MANY)
    for name, weight in weights.items():
        after = float((weight - 2).detach().norm())
        require(
            after < before[name],
            f"the distance of the {name} from the minimum goes from {before[name]:.3g} to {after:.3g}",
        )


@check("optimizer.groups", "optimizer")
def groups(subject: Subject) -> None:
    """It is a ``torch.optim.Optimizer`` with one parameter group for each group that it got, in their order, with their
    parameters; one may be empty.

    Fix: return a subclass of ``torch.optim.Optimizer`` that got ``[{"params": list(g.parameters), ...} for g in
    groups]``.
    """
    weights = _weights(_inputs())
    optimizer = subject.probe.make(subject).optimizer(weights)
    require(isinstance(optimizer, torch.optim.Optimizer), f"it returns a {type(optimizer).__name__}")
    wanted = [[id(weights["kernel"])], [], [id(weights["norm"])]]
    found = [[id(p) for p in group["params"]] for group in optimizer.param_groups]
    require(found == wanted, f"its groups have {[len(g) for g in found]} parameters instead of [1, 0, 1], or others")
    _descend(optimizer, weights, 1)


@check("optimizer.weight-decay", "optimizer")
def weight_decay(subject: Subject) -> None:
    """Where the gradient is 0, weight decay brings the weights of its group nearer to 0, and leaves those of a group
    without it. An optimizer that has none may refuse it with a ConfigError.

    Fix: pass each group's own ``weight_decay``: ``{"params": ..., "weight_decay": g.weight_decay}``.
    """
    weights = _weights(_inputs())
    before = {name: float(w.detach().norm()) for name, w in weights.items()}
    try:
        optimizer = subject.probe.make(subject).optimizer(weights, 0.1)
    except ConfigError as error:
        raise NotRun(f"it refuses weight decay: {error}") from None
    for _ in range(STEPS):
        for weight in weights.values():
            weight.grad = torch.zeros_like(weight)
        optimizer.step()
    after = {name: float(w.detach().norm()) for name, w in weights.items()}
    require(after["kernel"] < before["kernel"], "weight decay does not bring the weights of its group nearer to 0")
    require(after["norm"] == before["norm"], "the weights of a group without weight decay change, without any gradient")


@check("optimizer.lr", "optimizer")
def lr(subject: Subject) -> None:
    """The learning rate that is set in the groups counts: at 0 a new optimizer changes no weight, and after steps at
    another rate at most one more step does. An optimizer that averages may go on moving weights to their average.

    Fix: read ``group["lr"]`` in every step; do not copy it when the optimizer is made.
    """
    made = subject.probe.make(subject)
    for steps in (0, STEPS):
        if steps and made.averages:
            continue
        weights = _weights(_inputs())
        optimizer = made.optimizer(weights)
        _descend(optimizer, weights, steps)
        for group in optimizer.param_groups:
            group["lr"] = 0.0
        # some compute the next step's rate at the end of a step
        _descend(optimizer, weights, 1 if steps else 0)
        before = {name: w.detach().clone() for name, w in weights.items()}
        _descend(optimizer, weights, 1)
        off = max(gap(w, before[name]) for name, w in weights.items())
        require(off == 0, f"after {steps} steps the learning rate is set to 0, but weights change by {off:.2g}")


@check("optimizer.state", "optimizer")
def state(subject: Subject) -> None:
    """Its state is complete as a checkpoint keeps it: the tensors and plain numbers of each parameter, and the plain
    numbers of each group. Steps after a resume are those without one, to the bit.

    Fix: keep per parameter in ``self.state[parameter]``, and counters in ``self.param_groups``; nothing in attributes,
    lists or nested dicts.
    """
    made, weights = subject.probe.make(subject), _weights(_inputs())
    optimizer = made.optimizer(weights)
    _descend(optimizer, weights, STEPS)
    again = {name: nn.Parameter(w.detach().clone()) for name, w in weights.items()}
    other = subject.probe.make(subject).optimizer(again)
    for name, weight in weights.items():
        kept = optimizer.state.get(weight, {})
        tensors = stored_and_read({key: t for key, t in kept.items() if isinstance(t, Tensor)})
        other.state[again[name]].update({**tensors, **_numbers(kept)})
    for group, source in zip(other.param_groups, optimizer.param_groups, strict=True):
        group.update(_numbers(source))
    _descend(optimizer, weights, STEPS)
    _descend(other, again, STEPS)
    off = max(gap(w, again[name]) for name, w in weights.items())
    require(
        all(same(w.detach(), again[n].detach()) for n, w in weights.items()),
        f"after a resume weights differ by {off:.2g}",
    )


@check("optimizer.averages", "optimizer", when=declares("averages"))
def averages(subject: Subject) -> None:
    """With ``averages=True``, ``eval()`` puts averages in the place of the weights, nearer to the minimum than at the
    start, and ``train()`` brings the weights back within 1e-4.

    Fix: write both methods, as those of ``schedulefree``; remove ``averages=True`` if the optimizer keeps no average.
    """
    weights = _weights(_inputs())
    before = {name: float((w - 2).detach().norm()) for name, w in weights.items()}
    optimizer: Any = subject.probe.make(subject).optimizer(weights)
    _descend(optimizer, weights, _MANY)
    trained = {name: w.detach().clone() for name, w in weights.items()}
    optimizer.eval()
    averaged = {name: w.detach().clone() for name, w in weights.items()}
    require(any(gap(averaged[n], trained[n]) > 0 for n in weights), "eval() changes no weight")
    worse = [n for n in weights if float((averaged[n] - 2).norm()) >= before[n]]
    require(not worse, f"the averages of the {', '.join(worse)} are no nearer to the minimum than the first weights")
    optimizer.train()
    off = max(gap(w.detach(), trained[name]) for name, w in weights.items())
    require(off <= 1e-4, f"after eval() and train() the weights differ by {off:.2g}")


def _numbers(kept: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in kept.items() if isinstance(value, _NUMBERS) and key != "lr"}
