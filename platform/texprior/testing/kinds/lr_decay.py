"""Checks the rules of decays of the learning rate."""

from __future__ import annotations

import math

from torch import Tensor, linspace

from texprior.flow.optimize import LearningRateDecay
from texprior.plugin import LrDecay
from texprior.testing.catalogue import check
from texprior.testing.outcomes import require
from texprior.testing.probe import PROBES, Inputs, Probe, unmoved
from texprior.testing.subject import Subject

SHARES = 101
"""Places in the budget at which a decay is asked: each hundredth, from 0 to 1."""


def _inputs() -> Inputs:
    return {"shares": linspace(0, 1, SHARES)}


def _work(decay: LearningRateDecay, inputs: Inputs) -> tuple[Tensor, ...]:
    shares = inputs["shares"]
    return (shares.new_tensor([decay(share) for share in shares.tolist()]),)


PROBES["lr_decay"] = Probe(_inputs, _work, move=unmoved)


def _factors(subject: Subject) -> list[float]:
    decay: LearningRateDecay = subject.build()
    return [decay(i / (SHARES - 1)) for i in range(SHARES)]


@check("lr_decay.start", "lr_decay")
def start(subject: Subject) -> None:
    """At a share of 0 the factor is 1, so that ``training.STAGE.lr`` is what it says.

    Fix: divide by the value at 0; leave the warm-up to ``training.STAGE.warmup_images``.
    """
    first = subject.build()(0.0)
    require(abs(first - 1) <= 1e-6, f"at a share of 0 the factor is {first:.6g}")


@check("lr_decay.range", "lr_decay")
def number(subject: Subject) -> None:
    """The factor is a finite number, at least 0, at every share from 0 to 1.

    Fix: return a ``float``; bound what roots and differences of rounded numbers leave below 0.
    """
    for i, factor in enumerate(_factors(subject)):
        share = i / (SHARES - 1)
        require(isinstance(factor, float | int), f"at a share of {share} it returns a {type(factor).__name__}")
        require(math.isfinite(factor) and factor >= 0, f"at a share of {share} the factor is {factor}")


@check("lr_decay.function", "lr_decay")
def function(subject: Subject) -> None:
    """The factor depends on the share alone, not on what was asked before: a resumed training asks only for the rest.

    Fix: keep no counter and no last value; compute the factor from ``share``.
    """
    ordered, decay = _factors(subject), subject.build()
    for i in reversed(range(SHARES)):
        again = decay(i / (SHARES - 1))
        require(again == ordered[i], f"at a share of {i / (SHARES - 1)} it returns {ordered[i]}, and then {again}")


@check("lr_decay.open-ended", "lr_decay")
def open_ended(subject: Subject) -> None:
    """``open_ended=True`` is declared exactly if the factor is the same at every share: a training with a larger budget
    then continues the shorter one.

    Fix: declare ``open_ended=True`` only for a constant factor.
    """
    assert isinstance(subject.record, LrDecay)
    constant = len(set(_factors(subject))) == 1
    if subject.record.open_ended:
        require(constant, "open_ended=True, but the factor changes with the share of the budget")
    else:
        require(not constant, "open_ended=False, but the factor is the same at every share")
