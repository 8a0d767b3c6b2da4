"""Checks the rules of schedules."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from texprior.diffusion.sigmas import linspace, log_normal, trailing
from texprior.errors import ConfigError
from texprior.flow.contract import require_tensor
from texprior.flow.schedule import LevelSchedule, Range
from texprior.plugin import Schedule
from texprior.testing.catalogue import When, check, declares
from texprior.testing.kinds.noise_levels import WIDTHS
from texprior.testing.kinds.reverse_chain import told
from texprior.testing.outcomes import NotRun, require
from texprior.testing.probe import PROBES, Inputs, Probe
from texprior.testing.subject import Subject

RANGES = ((0.02, 20.0), (0.1, 5.0), (0.002, 80.0))
"""Pairs of ``sampling.sigma_min`` and ``sampling.sigma_max``."""
SLACK = 1e-6
"""How far a level may leave the range, relative to it: rounding of float32."""
FREE = When("`fixed=False`", lambda record: not getattr(record, "fixed", False))


def _inputs() -> Inputs:
    return {"u": linspace(4)}


def _within(low: float, high: float) -> Range:
    return Range(low, high, 7.0, lambda normal: log_normal(normal, -0.5, 1.2))


def _work(schedule: LevelSchedule, inputs: Inputs) -> tuple[Tensor, ...]:
    u = inputs["u"]
    return (require_tensor(schedule, schedule(u, _within(*RANGES[0])), u.shape, u, "the noise levels"),)


PROBES["schedule"] = Probe(_inputs, _work, context=lambda _subject: told(), dtypes=(torch.float64,))


def _ranges(subject: Subject) -> Iterator[Range]:
    """Yields the ranges that the record allows; the last one ends at the schedule's largest level, if there is one."""
    assert isinstance(subject.record, Schedule)
    largest = subject.record.largest
    yield from (_within(low, high) for low, high in RANGES if high <= largest)
    if math.isfinite(largest):
        yield _within(largest / 1000, largest)


@check("schedule.levels", "schedule")
def levels_decrease(subject: Subject) -> None:
    """Levels decrease, and lie between ``sigma_min`` and ``sigma_max``, for 1 to 50 steps in both spacings. With
    ``fixed=True`` the schedule may refuse a range with a ConfigError.

    Fix: return a decreasing function of u, in float64; clamp the rounding at both ends.
    """
    schedule, tried = subject.build(), 0
    for within in _ranges(subject):
        low, high = within.sigma_min * (1 - SLACK), within.sigma_max * (1 + SLACK)
        for u in (spacing(steps) for steps in (1, 2, 3, 4, 10, 50) for spacing in (linspace, trailing)):
            where = f"{len(u)} steps from {within.sigma_max:g} to {within.sigma_min:g}"
            try:
                levels = schedule(u, within)
            except ConfigError:
                if FREE.test(subject.record):
                    raise
                continue
            tried += 1
            require(bool((levels.diff() < 0).all()), f"{where} do not decrease: {_shown(levels)}")
            require(bool(((levels >= low) & (levels <= high)).all()), f"{where} leave the range: {_shown(levels)}")
    if not tried:
        raise NotRun("it refuses every range that the kit has; pass options that fit sigma_min 0.02 and sigma_max 20")


@check("schedule.ends", "schedule", when=FREE)
def ends(subject: Subject) -> None:
    """The level is ``sigma_max`` at u = 0 and ``sigma_min`` at u = 1, within 1e-5. The same holds at the declared
    ``largest``.

    Fix: scale u to the range; declare the largest level of a published list as ``largest``; declare ``fixed=True`` if
    the options hold the levels.
    """
    for within in _ranges(subject):
        first, last = (float(level) for level in subject.build()(torch.tensor([0.0, 1.0]).double(), within))
        for found, wanted, end in ((first, within.sigma_max, "sigma_max"), (last, within.sigma_min, "sigma_min")):
            require(abs(found / wanted - 1) <= 1e-5, f"the level is {found:g} where {end} is {wanted:g}")


@check("schedule.points", "schedule", when=FREE)
def points(subject: Subject) -> None:
    """The level at a u does not depend on the other steps. So trailing steps are the first ones of one more step.

    Fix: compute the level from u alone, not from the number or the order of the steps.
    """
    schedule, u = subject.build(), linspace(9)
    for within in _ranges(subject):
        every, some = schedule(u.clone(), within)[::2], schedule(u[::2].clone(), within)
        worst = float((some / every - 1).abs().max())
        require(worst <= 1e-9, f"with 9 and with 5 steps, the levels at the same u differ by {worst:.2g}")


@check("schedule.scale", "schedule", when=declares("of_process"))
def scale_used(subject: Subject) -> None:
    """With ``of_process=True``, levels are in units of the layer: they stay if the levels of the process and the layer
    are 4 times as large.

    Fix: multiply ``sigma_min`` and ``sigma_max`` by ``scale`` before the process is asked, and divide the levels by it;
    ask the process, and not an option, for its numbers.
    """
    one, two = (subject.build(context=told(width))(trailing(5), _within(*RANGES[0])) for width in WIDTHS)
    off = float((two / one - 1).abs().max())
    require(off <= 1e-9, f"in wider units, levels of the layer differ by a factor of up to {1 + off:.3g}")


def _shown(levels: Tensor) -> str:
    few = [f"{level:.6g}" for level in levels.tolist()[:6]]
    return ", ".join([*few, "..."] if len(levels) > len(few) else few)
