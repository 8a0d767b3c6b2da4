"""How works are timed in turn, and how a row is judged."""

import math
import subprocess
import sys

import pytest


@pytest.fixture
def rounds(repository, monkeypatch):
    """The module ``benchmarks/rounds.py``; the folder is no package."""
    monkeypatch.syspath_prepend(repository / "benchmarks")
    import rounds

    return rounds


def test_works_are_measured_in_turn_after_one_warm_up_each(rounds):
    seen = []
    works = {"a": lambda: seen.append("a"), "b": lambda: seen.append("b")}
    times = rounds.interleaved(works, 3, "wall")
    assert "".join(seen) == "ab" * 4
    assert {name: len(seconds) for name, seconds in times.of.items()} == {"a": 3, "b": 3}


@pytest.mark.skipif(sys.platform == "win32", reason="needs getrusage")
def test_the_cpu_clock_counts_what_a_started_process_computes(rounds):
    code = "import time\nwhile time.process_time() < 0.3: pass"
    before = rounds.cpu_seconds()
    subprocess.run([sys.executable, "-c", code], check=True)
    assert rounds.cpu_seconds() - before > 0.25


def test_the_ratio_is_the_median_of_the_ratios_of_rounds(rounds):
    """A round in which the machine was slow has both works slow, and the same ratio."""
    times = rounds.Times("wall")
    times.of = {"ours": [1.0, 30.0, 2.0], "theirs": [2.0, 20.0, 2.0]}
    row = times.row("what", "against", "ours", "theirs", rounds.Target("<=", 1))
    assert (row.ratio, row.ours, row.theirs, row.held) == (1.0, 2.0, 2.0, "held")
    assert times.row("w", "a", "ours", "theirs", rounds.Target("<=", 1), scale=4).ratio == 4.0


@pytest.mark.parametrize(
    ("target", "held"),
    [
        (("<=", 1.5), "held"),
        (("<=", 1.4), "NOT HELD"),
        ((">=", 1.5), "held"),
        ((">=", 1.6), "NOT HELD"),
        (("<=", 1.0, True), "held"),
        (("<=", 0.9, True), "NOT HELD"),
    ],
)
def test_a_target_is_on_the_ratio_or_on_the_difference(target, held, rounds):
    assert rounds.Row("what", "against", 1.5, rounds.Target(*target), 3.0, 2.0).held == held


def test_a_row_without_a_target_is_not_judged(rounds):
    assert rounds.Row("what", "against", 1.5, None, 3.0, 2.0).held == ""


@pytest.mark.parametrize(
    ("counted", "expected", "held"), [(2, 2, "held"), (3, 2, "NOT HELD"), (0, 0, "held"), (1, 0, "NOT HELD")]
)
def test_a_count_must_be_met_exactly(counted, expected, held, rounds):
    row = rounds.count_row("calls", "one a picture", counted, expected, "calls")
    assert row.held == held
    assert math.isfinite(row.ratio)
