"""The front of a sweep as a picture: a panel for each cost, whatever the order of the trials."""

from dataclasses import replace

import numpy as np
from PIL import Image

from texprior.sweeps.front_figure import draw_front
from texprior.sweeps.records import SweepResult, TrialRecord

TRIALS = [
    TrialRecord(0, {}, {"lpips": 0.1, "calls": 8.0, "latency_s": 0.5}, "finished"),
    TrialRecord(1, {}, {"lpips": 0.2, "calls": 4.0, "latency_s": 0.3}, "finished"),
    TrialRecord(2, {}, {"lpips": 0.3, "calls": 6.0, "latency_s": 0.9}, "finished"),
    TrialRecord(3, {}, {}, "failed", "out of memory"),
]
LOWER = {"lpips": "lower", "calls": "lower", "latency_s": "lower"}


def drawn(result, path):
    assert draw_front(result, path) == path
    return np.asarray(Image.open(path))


def test_a_panel_for_each_cost_and_a_line_that_does_not_run_back(tmp_path):
    result = SweepResult("study", "sqlite://", LOWER, TRIALS, TRIALS[0], TRIALS[:3])
    two = drawn(result, tmp_path / "new" / "two.png")
    one = drawn(replace(result, objectives={"lpips": "lower", "calls": "lower"}), tmp_path / "one.png")
    assert two.shape[0] == one.shape[0]
    assert two.shape[1] == 2 * one.shape[1]
    assert np.array_equal(drawn(replace(result, front=[TRIALS[2], *TRIALS[:2]]), tmp_path / "other.png"), two)
    assert not np.array_equal(drawn(replace(result, front=TRIALS[:1]), tmp_path / "alone.png"), two)
