"""Rules of every kind on how a component behaves, whatever it computes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from texprior.errors import ConfigError
from texprior.testing.catalogue import check
from texprior.testing.material import accelerator, gap, global_state, same, seed_globals
from texprior.testing.outcomes import NotRun, require
from texprior.testing.probe import cast, one_of
from texprior.testing.subject import Subject
from texprior.testing.values import choices, is_tuned, samples

BATCH_TOLERANCE = 1e-5
"""Convolutions on a CPU are not equal to the bit at different batch sizes."""
_WORKED = 3
_BATCHED = ("decomposition", "encoder", "denoiser", "predictor", "adapter", "sampler", "attention")


@check("any.space-works", but=["events"])
def space_works(subject: Subject) -> None:
    """It builds and works, with finite results, at the ends and inside of its search space, and with every value that a
    bool, Literal or Enum option lists; such a value may be refused with a ConfigError.

    Fix: narrow the bounds or the list to what works, or refuse what cannot work together in a validator of Options.
    """
    points = samples(subject.model, _WORKED) if is_tuned(subject.model) else []
    searched = [{}, *points]
    tried, lacking = 0, ""
    for changes in [*searched, *choices(subject.model)]:
        if not subject.accepts(changes):
            continue
        try:
            outputs = _worked(subject, changes)
        except ConfigError as error:
            if subject.missing():
                lacking = str(error)
            elif changes in searched:
                raise ConfigError(f"with {changes or 'its defaults'}: {error}") from error
            continue
        tried += 1
        bad = [i for i, output in enumerate(outputs) if not torch.isfinite(output).all()]
        require(not bad, f"with {changes or 'its defaults'} output {bad} has values that are no finite numbers")
    if not tried:
        raise NotRun(lacking or "no options could be tried", lacking=bool(lacking))


@check("any.repeatable", but=["events"])
def repeatable(subject: Subject) -> None:
    """The same inputs and the same keys give the same result to the bit, in a new instance too.

    Fix: draw all random numbers from what is handed in (``rng``, ``noise``), initial weights from the global
    generator, which the registry seeds while it builds; let nothing depend on time, process, hashes or set order.
    """
    first, second = _worked_once(subject), _work_seeded(subject, 1)[0]
    require(_equal(first, second), f"two instances differ by {_gap(first, second):.2g}")


@check("any.global-rng", but=["events"])
def global_rng(subject: Subject) -> None:
    """Working neither reads nor moves the global random numbers of Python, NumPy and PyTorch.

    Fix: draw from the generator or noise source that is handed in; never call ``manual_seed``, ``random.*``,
    ``np.random.*`` or ``torch.rand`` without ``generator=``.
    """
    first, (second, moved) = _worked_once(subject), _work_seeded(subject, 2)
    require(_equal(first, second), f"the result changes with the global seed, by {_gap(first, second):.2g}")
    require(not moved, "the state of the global random numbers is another one afterwards")


@check("any.inputs", but=["dataset", "events"])
def inputs_untouched(subject: Subject) -> None:
    """What it is given is left as it was, to the bit.

    Fix: work on a copy (``x = x.clone()``); no ``+=``, ``.mul_()`` or ``out=`` on an argument.
    """
    given, before = subject.probe.inputs(), subject.probe.inputs()
    subject.probe.work(subject.probe.make(subject), given)
    changed = [name for name in given if not same(given[name], before[name])]
    require(not changed, f"it changes {', '.join(changed)}")


@check("any.dtype", but=["dataset", "metric", "events"])
def dtype_kept(subject: Subject) -> None:
    """Results have the type of the inputs: float32, and float64 where the kind promises it.

    Fix: make constants with ``torch.tensor(..., dtype=x.dtype, device=x.device)`` or ``x.new_tensor``; convert back
    with ``.to(x.dtype)`` after working in another type.
    """
    for dtype in subject.probe.dtypes:
        component = subject.probe.make(subject)
        outputs = subject.probe.work(component, cast(subject.probe.inputs(), dtype))
        found = sorted({str(output.dtype) for output in outputs} - {str(dtype)})
        require(not found, f"{dtype} goes in, {', '.join(found)} comes out")


@check("any.device", but=["degradation", "dataset", "events"])
def device_kept(subject: Subject) -> None:
    """It works on the accelerator, and its results stay there.

    Fix: register constants of a module as buffers; make other tensors on ``x.device``.
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
    """A batch of two gives what its two pictures give one by one, within 1e-5.

    Fix: reduce over a picture's own dimensions only; no statistics of the batch (batch normalisation in training
    mode, ``x.mean()``, ``x.max()``).
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
    """The outputs of a new instance under one seed, computed once."""
    if "worked" not in subject.memory:
        subject.memory["worked"] = _work_seeded(subject, 1)[0]
    outputs: tuple[Tensor, ...] = subject.memory["worked"]
    return outputs


def _work_seeded(subject: Subject, seed: int) -> tuple[tuple[Tensor, ...], bool]:
    """The outputs of a new instance under seeded global random numbers, and whether it moved them."""
    component, inputs = subject.probe.make(subject), subject.probe.inputs()
    seed_globals(seed)
    before = global_state()
    outputs = subject.probe.work(component, inputs)
    return tuple(output.detach() for output in outputs), global_state() != before


def _equal(first: tuple[Tensor, ...], second: tuple[Tensor, ...]) -> bool:
    return len(first) == len(second) and all(same(a, b) for a, b in zip(first, second, strict=True))


def _gap(first: tuple[Tensor, ...], second: tuple[Tensor, ...]) -> float:
    return max((gap(a, b) for a, b in zip(first, second, strict=False)), default=0.0)
