"""Checks the rules of objectives, on layers at noise levels and on pictures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from texprior.diffusion.precondition import denoise_noised
from texprior.flow.contract import require_tensor
from texprior.flow.objective import Learned, Objective, objective_loss
from texprior.plugin import Component
from texprior.plugin import Objective as Record
from texprior.testing.catalogue import USABLE, When, check, declares
from texprior.testing.kinds.trained import stored_and_read
from texprior.testing.material import gap, gaussian, photographs, same
from texprior.testing.outcomes import require
from texprior.testing.probe import PROBES, Buildable, Inputs, Probe
from texprior.testing.subject import Subject

SIZE = 64
"""Height and width of the test pictures, px: that of a usual training patch, and enough for perceptual metrics."""
SCALE = 0.05
"""The standard deviation of the layer in units of the picture: that of a texture."""
LEVELS = (0.002, 0.05, 1.0, 80.0)
"""Noise levels from the smallest to the largest of Karras et al. 2022, table 1."""
AUTOCAST_TOLERANCE = 0.1
"""The largest relative difference that bfloat16 may make: it has 8 significant bits, and networks sum up its errors."""


def _untrained(record: Component) -> bool:
    return isinstance(record, Record) and not record.trained


UNTRAINED = When("`trained` is false", _untrained)
_LEARNS = (*USABLE, "objective.gradient")
"""Checks after which a gradient can be looked at."""


@dataclass
class Judge:
    """An objective with what its record declares, by which it is asked about layers, pictures, or both."""

    objective: Objective
    layer: bool
    picture: bool

    def learned(self, inputs: Inputs) -> list[tuple[str, Learned]]:
        """Returns what a network with ``inputs["error"]`` learned: of a layer, of a picture, or of both."""
        known = [("layers", of_layer, self.layer), ("pictures", of_picture, self.picture)]
        return [(name, of(inputs)) for name, of, wanted in known if wanted]


def of_layer(inputs: Inputs) -> Learned:
    """Returns what a denoiser learned of a noised layer, whose output is off by ``inputs["error"]``."""
    layer, base = inputs["layer"], inputs["base"]
    known = layer, inputs["noise"], inputs["sigma"]
    # what F should be does not depend on F
    exact = denoise_noised(lambda x, c: torch.zeros_like(x), *known).target
    found = denoise_noised(lambda x, c: exact + inputs["error"], *known)
    code = torch.zeros(len(layer), 1, 4, device=layer.device)
    given = {"condition": base, "code": code, "degraded": base, "estimate": base}
    return Learned(found.estimate, layer, base, SCALE, inputs["sigma"], found.output, found.target, given)


def of_picture(inputs: Inputs) -> Learned:
    """Returns what a predictor learned of pictures, whose estimate is off by ``inputs["error"]`` times ``SCALE``."""
    clean = inputs["base"]
    given = {"degraded": clean, "clean": clean}
    return Learned(clean + SCALE * inputs["error"], clean, torch.zeros_like(clean), inputs=given)


def _inputs(**changed: Tensor) -> Inputs:
    normals = {name: gaussian(2, 3, SIZE, SIZE, key=name) for name in ("layer", "noise", "error")}
    return {**normals, "base": photographs(2, SIZE, SIZE), "sigma": torch.tensor([0.1, 0.5]), **changed}


def _make(subject: Buildable, changes: Mapping[str, Any] | None = None) -> Judge:
    assert isinstance(subject, Subject)
    assert isinstance(subject.record, Record)
    return Judge(subject.build(changes), subject.record.layer, subject.record.picture)


def _move(judge: Judge, device: torch.device) -> Judge:
    return Judge(judge.objective.to(device), judge.layer, judge.picture)


def _work(judge: Judge, inputs: Inputs) -> tuple[Tensor, ...]:
    return tuple(_loss(judge.objective, learned) for _, learned in judge.learned(inputs))


def _loss(objective: Objective, learned: Learned) -> Tensor:
    return require_tensor(objective, objective(learned), (len(learned.target),), learned.target, "the loss")


PROBES["objective"] = Probe(
    _inputs, _work, make=_make, base=(Objective,), methods=lambda _record: ("forward", "own_loss"), move=_move
)


@check("objective.gradient", "objective")
def gradient(subject: Subject) -> None:
    """The loss of each picture has a finite gradient, which is not 0, for what the network returned.

    Fix: compute with tensors of ``learned.estimate`` or ``learned.output`` without ``detach``, ``no_grad``, ``item`` or
    rounding; guard roots and divisions at 0, whose gradients are not finite.
    """
    for name, found in _gradients(subject, _inputs()):
        require(torch.isfinite(found).all(), f"{name}: the gradient has values that are not finite")
        reached = found.abs().flatten(1).sum(1) > 0
        require(reached.all(), f"{name}: no gradient reaches sample {(~reached).nonzero().flatten().tolist()}")


@check("objective.target", "objective", when=UNTRAINED, after=_LEARNS)
def target(subject: Subject) -> None:
    """An estimate that equals its target has a smaller loss than one with an error, small or large, and a finite
    gradient.

    Fix: compare the estimate with ``learned.target`` (or the output with ``learned.output_target``), by a distance that
    is smallest for equal ones; guard roots at 0.
    """
    judge, known = subject.probe.make(subject), _inputs()
    # noise, small and large; and what brings the layer, or the picture, nearer to 0
    errors = (0.1 * known["error"], known["error"], -0.3 * known["layer"], -known["base"])
    exact = judge.learned(_inputs(error=torch.zeros_like(known["error"])))
    for others in (judge.learned(_inputs(error=error)) for error in errors):
        for (name, best), (_, other) in zip(exact, others, strict=True):
            lowest, loss = _loss(judge.objective, best), _loss(judge.objective, other)
            require((lowest < loss).all(), f"{name}: the target's loss is {_shown(lowest)}, an error's {_shown(loss)}")
    for name, found in _gradients(subject, _inputs(error=torch.zeros_like(known["error"]))):
        require(torch.isfinite(found).all(), f"{name}: at the target the gradient is not finite")


@check("objective.levels", "objective", when=declares("layer"), after=_LEARNS)
def levels(subject: Subject) -> None:
    """With ``layer=True``, loss and gradient are finite at every noise level, from 0.002 to 80.

    Fix: bound weights such as 1 / sigma^4, and compute in float32.
    """
    for level in LEVELS:
        inputs = _inputs(sigma=torch.full((2,), level))
        loss = _loss(subject.probe.make(subject).objective, of_layer(inputs))
        require(torch.isfinite(loss).all(), f"at sigma {level} the loss is {_shown(loss)}")
        _, found = _gradients(subject, inputs)[0]
        require(torch.isfinite(found).all(), f"at sigma {level} the gradient has values that are not finite")


@check("objective.unchanged", "objective")
def unchanged(subject: Subject) -> None:
    """A call changes nothing: a second one gives the same loss, and so does a new instance that loads the
    ``state_dict``. So neither microbatches nor a resume change what is trained.

    Fix: keep no running statistics and no counters; register what is drawn at random as parameters or buffers. torch's
    ``spectral_norm`` changes a buffer at every call.
    """
    judge, inputs = subject.probe.make(subject), _inputs()
    before = {name: tensor.clone() for name, tensor in judge.objective.state_dict().items()}
    first, second = _work(judge, inputs), _work(judge, inputs)
    changed = [name for name, tensor in judge.objective.state_dict().items() if not same(tensor, before[name])]
    require(not changed, f"a call changes {', '.join(changed)}")
    again = Judge(subject.build(seed=1), judge.layer, judge.picture)
    again.objective.load_state_dict(stored_and_read(judge.objective.state_dict()))
    for name, other in (("a second call", second), ("a new instance with the same state_dict", _work(again, inputs))):
        require(all(map(same, first, other)), f"{name} differs by {max(map(gap, first, other)):.2g}")


@check("objective.autocast", "objective", after=_LEARNS)
def autocast(subject: Subject) -> None:
    """Under autocast to bfloat16, as in training, the loss is that of float32 within 10 %, and its gradient is finite.

    Fix: compute differences of similar pictures in float32, inside ``torch.autocast(device_type, enabled=False)``.
    """
    inputs, exact = _inputs(), _work(subject.probe.make(subject), _inputs())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        judge = subject.probe.make(subject)
        found = tuple(judge.objective(learned) for _, learned in judge.learned(inputs))
        gradients = _gradients(subject, inputs)
    for one, other in zip(exact, found, strict=True):
        limit = AUTOCAST_TOLERANCE * one.abs().clamp(min=0.1)
        require(
            ((one - other).abs() <= limit).all(), f"in bfloat16 the loss is {_shown(other)} instead of {_shown(one)}"
        )
    require(all(torch.isfinite(g).all() for _, g in gradients), "in bfloat16 the gradient is not finite")


@check("objective.own-parameters", "objective")
def own_parameters(subject: Subject) -> None:
    """Exactly with ``trained=True`` it has parameters with ``requires_grad``. They then have a loss of their own, (B,),
    which gives each of them a finite gradient.

    Fix: freeze networks that are not trained with ``requires_grad_(False)``; return from ``own_loss`` what the
    parameters shall minimise; declare ``trained=True``.
    """
    assert isinstance(subject.record, Record)
    judge = subject.probe.make(subject)
    own = {name: p for name, p in judge.objective.named_parameters() if p.requires_grad}
    if not subject.record.trained:
        require(not own, f"trained=False, but {', '.join(list(own)[:3])} would be trained; freeze them")
        return
    require(own, "trained=True, but no parameter has requires_grad")
    for name, learned in judge.learned(_inputs()):
        loss = judge.objective.own_loss(learned.detached())
        require(loss is not None, f"trained=True, but own_loss of {name} is None")
        require_tensor(judge.objective, loss, (2,), learned.target, "the own loss", any_float=True)
        found = dict(zip(own, torch.autograd.grad(loss.sum(), list(own.values()), allow_unused=True), strict=True))
        missing = [n for n, g in found.items() if g is None or not torch.isfinite(g).all()]
        require(not missing, f"own_loss of {name} gives no finite gradient to {', '.join(missing)}")


@check("objective.own-loss", "objective", when=declares("trained"), after=(*USABLE, "objective.own-parameters"))
def own_loss(subject: Subject) -> None:
    """With ``trained=True``, the network's gradient comes from its loss alone, and that of the objective's parameters
    from ``own_loss`` alone, although both are computed in one pass.

    Fix: let ``own_loss`` use only its argument, which is detached; keep nothing of ``forward`` for it.
    """
    for index in range(len(subject.probe.make(subject).learned(_inputs()))):
        alone, together = (_gradients_of_pass(subject, index, whole) for whole in (False, True))
        for name, one, other in zip(("network", "objective"), alone, together, strict=True):
            off = max(map(gap, one, other))
            require(off <= 1e-6, f"with both losses in one pass the gradient of the {name} differs by {off:.2g}")


def _gradients_of_pass(subject: Subject, index: int, whole: bool) -> tuple[list[Tensor], list[Tensor]]:
    """Returns the gradients of the network's output and of the own parameters, from one pass or from two."""
    judge, inputs = subject.probe.make(subject), _inputs()
    inputs["error"].requires_grad_()
    _, learned = judge.learned(inputs)[index]
    own = [p for p in judge.objective.parameters() if p.requires_grad]
    if whole:
        objective_loss(judge.objective, learned).sum().backward()  # type: ignore[no-untyped-call]
        return [_grad(inputs["error"])], [_grad(p) for p in own]
    (of_network,) = torch.autograd.grad(judge.objective(learned).sum(), inputs["error"])
    _, learned = judge.learned(inputs)[index]
    further = judge.objective.own_loss(learned.detached())
    assert further is not None
    return [of_network], list(torch.autograd.grad(further.sum(), own))


def _grad(tensor: Tensor | nn.Parameter) -> Tensor:
    return torch.zeros_like(tensor) if tensor.grad is None else tensor.grad


def _gradients(subject: Subject, inputs: Inputs) -> list[tuple[str, Tensor]]:
    """Returns the gradient of each kind of loss for the error of the network's output, (2, 3, H, W)."""
    judge, found = subject.probe.make(subject), []
    leaf = {**inputs, "error": inputs["error"].clone().requires_grad_()}
    for name, learned in judge.learned(leaf):
        loss = judge.objective(learned).sum()
        require(loss.requires_grad, f"{name}: no gradient reaches the network")
        (of_error,) = torch.autograd.grad(loss, leaf["error"], allow_unused=True)
        require(of_error is not None, f"{name}: no gradient reaches the network")
        found.append((name, of_error))
    return found


def _shown(values: Tensor) -> str:
    return "/".join(f"{v:.4g}" for v in values.detach().tolist())
