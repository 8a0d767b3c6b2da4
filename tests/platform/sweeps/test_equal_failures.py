"""Failures with a common cause: five in a row, unless one of the searched components explains them."""

import pytest

from texprior.sweeps.equal_failures import EqualFailures
from texprior.sweeps.records import TrialRecord

STEPS = {"sampling.steps": {"low": 1, "high": 20}}


def stops_at(experiment, trials):
    """The number of the trial at which the command stops; None if it does not."""
    alike = EqualFailures(experiment)
    return next((t.number for t in trials if alike.add(t)), None)


def failed(number, reason="OSError: no data", adapter="cga"):
    return TrialRecord(number, {"adapter": adapter}, {}, "failed", reason)


@pytest.mark.parametrize(
    ("trials", "at"),
    [
        ([failed(n) for n in range(9)], 4),
        ([failed(n, f"memory: {n} MB") for n in range(9)], None),
        ([failed(n) if n != 3 else TrialRecord(3, {}, {}, "finished") for n in range(9)], 8),
        ([failed(n) if n != 3 else TrialRecord(3, {}, {}, "duplicate") for n in range(9)], 5),
    ],
)
def test_five_failures_in_a_row_with_one_reason_stop(registry, made, trials, at):
    assert stops_at(made(registry, STEPS), trials) == at


def test_a_component_that_fails_where_others_are_searched_is_its_own_cause(registry, made):
    searched = made(registry, {"adapter": ["cga", "plain"]})
    assert stops_at(searched, [failed(n) for n in range(9)]) is None
    assert stops_at(searched, [failed(n, adapter=("cga", "plain")[n % 2]) for n in range(9)]) == 4
    assert stops_at(made(registry, {"adapter": ["cga"]}), [failed(n) for n in range(9)]) == 4
