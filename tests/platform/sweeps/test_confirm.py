"""Confirmation with fresh seeds: what is trained, who is best, and what becomes of a seed that fails."""

import math
from types import SimpleNamespace

import pytest

from texprior.errors import Interrupted
from texprior.sweeps.confirm import confirm_best, confirm_unclaimed, confirmation_pairs
from texprior.sweeps.records import SweepResult, TrialRecord


def record(number, value, state="finished"):
    return TrialRecord(number, {"adapter.cga.width": number}, {"lpips": value}, state)


RESULT = SweepResult(
    "study",
    "sqlite://",
    {"lpips": "lower"},
    [record(0, 0.3), record(1, 0.1), record(2, 0.2), record(3, 0.0, "pruned"), record(4, 0.4)],
)


class Trials:
    """Trials whose confirmations are a table; it notes what was asked for."""

    def __init__(self, root, table):
        sweep = SimpleNamespace(metric="lpips", confirm=SimpleNamespace(top=3, seeds=2))
        self.said, self.asked, self.key, self.table = [], [], "study", table
        self.session = SimpleNamespace(experiment=SimpleNamespace(seed=7, sweep=sweep), root=root, say=self.said.append)

    def train_again(self, trial, seed):
        self.asked.append((trial.number, seed))
        value = self.table[trial.number][seed - 8]
        if isinstance(value, BaseException):
            raise value
        return {"lpips": value, "psnr": 100 * value}


TABLE = {1: (0.30, 0.34), 2: (0.21, 0.25), 0: (0.35, 0.31)}


def test_the_best_three_are_trained_with_fresh_seeds_and_the_best_mean_comes_first(tmp_path):
    trials = Trials(tmp_path, TABLE)
    found = confirm_best(trials, RESULT)
    assert trials.asked == [(1, 8), (2, 8), (0, 8), (1, 9), (2, 9), (0, 9)]  # pictures are prepared once for a seed
    assert [c.trial for c in found] == [2, 1, 0]
    assert (found[0].seeds, found[0].values) == ([8, 9], [0.21, 0.25])
    assert (found[0].mean, found[0].deviation) == pytest.approx((0.23, 0.04 / math.sqrt(2)))
    assert found[0].means == pytest.approx({"lpips": 0.23, "psnr": 23.0})


@pytest.mark.parametrize(("value", "reason"), [(RuntimeError("diverged"), "diverged"), (math.nan, "lpips is nan")])
def test_a_configuration_that_fails_with_a_fresh_seed_is_named_and_not_called_best(tmp_path, value, reason):
    trials = Trials(tmp_path, {**TABLE, 2: (0.21, value)})
    assert [c.trial for c in confirm_best(trials, RESULT)] == [1, 0]
    (said,) = trials.said
    assert said.startswith("trial 2 again, with seed 9, failed: ")
    assert reason in said


def test_an_interruption_is_none_of_these(tmp_path):
    with pytest.raises(Interrupted):
        confirm_best(Trials(tmp_path, {**TABLE, 1: (Interrupted("stopped"), 0.3)}), RESULT)


def test_workers_begin_with_other_seeds_and_leave_what_another_is_at(tmp_path):
    first, second = Trials(tmp_path, TABLE), Trials(tmp_path, TABLE)
    confirm_unclaimed(first, RESULT, worker=0)
    confirm_unclaimed(second, RESULT, worker=1)
    assert first.asked == [(t.number, seed) for t, seed in confirmation_pairs(first, RESULT)]
    assert second.asked[0] == (1, 9)

    class Nested(Trials):
        """While this worker is at its first training, another does its share."""

        def train_again(self, trial, seed):
            if not self.asked:
                confirm_unclaimed(second, RESULT, worker=0)
            return super().train_again(trial, seed)

    second.asked.clear()
    confirm_unclaimed(Nested(tmp_path, TABLE), RESULT, worker=0)
    assert (1, 8) not in second.asked
    assert len(second.asked) == 5
