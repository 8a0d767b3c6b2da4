"""Checks the rules of every kind about how a component behaves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from texprior.errors import ConfigError
from texprior.testing.catalogue import USABLE, check
from texprior.testing.material import accelerator, gap, global_state, same, seed_globals
from texprior.testing.outcomes import NotRun, require
from texprior.testing.probe import cast, one_of
from texprior.testing.subject import Subject
from texprior.testing.values import choices, is_tuned, samples

BATCH_TOLERANCE = 1e-5
"""The largest difference between a batch and single pictures: CPU convolutions round differently by batch size."""
_WORKED = 3
"""Points of the search space that are built and run: its two ends and a random one. Each costs a run."""
PROGRAMS = ("events", "launcher", "command")
"""Kinds that compute no tensors."""
# kinds whose inputs are batches of independent pictures; metrics have a rule of the same meaning for each scope
_BATCHED = (
    *("decomposition", "encoder", "denoiser", "predictor", "adapter"),
    *("objective", "noise_levels", "process", "sampler", "attention"),
)


@check("any.space-works", but=PROGRAMS, after=USABLE[:3])
def space_works(subject: Subject) -> None:
    """The component builds and returns finite results, of the type and shape of its contract, with its defaults and at
    the ends and inside of its search space. The same holds for every value of a bool, Literal or Enum option, but it
    may refuse such a listed value with a ConfigError.

    Fix: return what the contract of the kind says; narrow the bounds or the list to values that work, or reject invalid
    combinations in a validator of Options.
    """
    try:
        points = samples(subject.model, _WORKED) if is_tuned(subject.model) else []
    except ValueError:
        raise NotRun("the search space is not well formed; see any.space", caused=True) from None
    searched = [{}, *points]
    tried, lacking = 0, ""

    for changes in [*searched, *choices(subject.model)]:
        if not subject.accepts(changes):
            continue
        # until the defaults work, no other check has anything to say
        subject.memory["unusable"] = not changes
        try:
            outputs = _worked(subject, changes)
        except ConfigError as error:
            # a listed value may depend on another option and be refused; a point of the search space must work
            if subject.missing():
                lacking = str(error)
            elif changes in searched:
                raise ConfigError(f"with {changes or 'its defaults'}: {error}") from error
            continue
        tried += 1
        bad = [i for i, output in enumerate(outputs) if not torch.isfinite(output).all()]
        require(not bad, f"with {changes or 'its defaults'} output {bad} has values that are not finite")

    subject.memory["unusable"] = False
    if not tried:
        raise NotRun(lacking or "no combination of options could be tried", lacking=bool(lacking))


@check("any.repeatable", but=PROGRAMS)
def repeatable(subject: Subject) -> None:
    """The same inputs and the same keys give exactly the same result, also in a new instance.

    Fix: draw all random numbers from the arguments (``rng``, ``noise``), and initial weights from the global generator,
    which the registry seeds while it builds; do not depend on time, process, hashes or set order.
    """
    first, second = _worked_once(subject), _work_seeded(subject, 1)[0]
    require(_equal(first, second), f"two instances differ by {_gap(first, second):.2g}")


@check("any.global-rng", but=PROGRAMS)
def global_rng(subject: Subject) -> None:
    """A run of the component neither uses nor changes the global random generators of Python, NumPy and PyTorch.

    Fix: draw from the generator or noise source in the arguments; never call ``manual_seed``, ``random.*``,
    ``np.random.*``, or ``torch.rand`` without ``generator=``.
    """
    # two different global seeds: a component that draws from the global generators gives two results
    first, (second, moved) = _worked_once(subject), _work_seeded(subject, 2)
    # an unseeded generator of its own changes the result whatever the global seed is
    if not _equal(first, second) and not _equal(first, _work_seeded(subject, 1)[0]):
        raise NotRun("the result changes with equal global seeds too; see any.repeatable")
    require(_equal(first, second), f"the result changes with the global seed, by {_gap(first, second):.2g}")
    require(not moved, "it changes the state of the global random generators")


@check("any.inputs", but=["dataset", *PROGRAMS])
def inputs_untouched(subject: Subject) -> None:
    """The component does not change its inputs.

    Fix: work on a copy (``x = x.clone()``); do not use ``+=``, ``.mul_()`` or ``out=`` on an argument.
    """
    given, before = subject.probe.inputs(), subject.probe.inputs()
    subject.probe.work(subject.probe.make(subject), given)
    changed = [name for name in given if not same(given[name], before[name])]
    require(not changed, f"it changes {', '.join(changed)}")


@check("any.dtype", but=["dataset", "metric", *PROGRAMS])
def dtype_kept(subject: Subject) -> None:
    """Results have the dtype of the inputs: float32, and also float64 if the kind requires it.

    Fix: make constants with ``torch.tensor(..., dtype=x.dtype, device=x.device)`` or ``x.new_tensor``; convert back
    with ``.to(x.dtype)`` after computing in another dtype.
    """
    for dtype in subject.probe.dtypes:
        component = subject.probe.make(subject)
        outputs = subject.probe.work(component, cast(subject.probe.inputs(), dtype))
        found = sorted({str(output.dtype) for output in outputs} - {str(dtype)})
        require(not found, f"for inputs of {dtype} it returns {', '.join(found)}")


@check("any.device", but=["degradation", "schedule", "augmentation", "dataset", *PROGRAMS])
def device_kept(subject: Subject) -> None:
    """The component works on the accelerator, and its results are on the device of the inputs.

    Fix: register constants of a module as buffers; create other tensors on ``x.device``.
    """
    name = accelerator()
    if not name:
        raise NotRun("this machine has no accelerator", lacking=True)
    device, probe = torch.device(name), subject.probe
    assert probe.move is not None
    component = probe.move(probe.make(subject), device)
    outputs = probe.work(component, {key: tensor.to(device) for key, tensor in probe.inputs().items()})
    away = sorted({output.device.type for output in outputs} - {device.type})
    require(not away, f"the inputs are on {device.type}, results on {', '.join(away)}")


@check("any.batch", *_BATCHED)
def batch(subject: Subject) -> None:
    """A batch of two pictures gives the same results as the two pictures alone, within 1e-5.

    Fix: reduce only over the dimensions of one picture; do not use statistics of the batch (batch normalisation in
    training mode, ``x.mean()``, ``x.max()``).
    """
    probe = subject.probe
    component = probe.make(subject)
    together = probe.work(component, probe.inputs())
    alone = [probe.work(component, one_of(probe.inputs(), i)) for i in range(2)]
    joined = [torch.cat(parts) for parts in zip(*alone, strict=True)]
    worst = max(gap(a, b) for a, b in zip(together, joined, strict=True))
    require(worst <= BATCH_TOLERANCE, f"batch and single pictures differ by {worst:.2g}")


def _worked(subject: Subject, changes: Mapping[str, Any]) -> tuple[Tensor, ...]:
    try:
        return subject.probe.work(subject.probe.make(subject, changes), subject.probe.inputs())
    except (NotRun, ConfigError):
        raise
    except Exception as error:
        error.add_note(f"with {dict(changes) or 'its defaults'}")
        if changes:
            require(False, f"with {dict(changes)} it raises {type(error).__name__}: {error}")
        raise


def _worked_once(subject: Subject) -> tuple[Tensor, ...]:
    """Returns the outputs of a new instance under one global seed, computed once per subject."""
    if "worked" not in subject.memory:
        subject.memory["worked"] = _work_seeded(subject, 1)[0]
    outputs: tuple[Tensor, ...] = subject.memory["worked"]
    return outputs


def _work_seeded(subject: Subject, seed: int) -> tuple[tuple[Tensor, ...], bool]:
    """Returns the outputs of a new instance after seeding the global generators.

    Also returns whether the instance changed these generators.
    """
    # seed after the construction, which may draw initial weights from the global generator
    component, inputs = subject.probe.make(subject), subject.probe.inputs()
    seed_globals(seed)
    before = global_state()
    outputs = subject.probe.work(component, inputs)
    return tuple(output.detach() for output in outputs), global_state() != before


def _equal(first: tuple[Tensor, ...], second: tuple[Tensor, ...]) -> bool:
    return len(first) == len(second) and all(same(a, b) for a, b in zip(first, second, strict=True))


def _gap(first: tuple[Tensor, ...], second: tuple[Tensor, ...]) -> float:
    return max((gap(a, b) for a, b in zip(first, second, strict=False)), default=0.0)
