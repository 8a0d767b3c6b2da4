"""Scores: means, intervals, the CSV round trip, and a texture strength that is never judged where it was chosen."""

import math
import re
import subprocess
import sys

import pytest

from texprior.evaluation.scores import Score, Scores, at_chosen_strength, loss_of, mean_of, read_scores
from texprior.evaluation.tables import PAIRED, explain_table, paired_rows, score_rows

ROWS = (("predictor", 0.0), ("restored", 0.5))
BETTER = {"lpips": "lower", "psnr": "higher"}


def test_mean_and_standard_error():
    m = mean_of([1.0, 2.0, 3.0, 4.0])
    assert m.mean == 2.5
    assert m.standard_error == pytest.approx(math.sqrt(5 / 3) / 2)
    assert math.isnan(m.low)  # of four pictures
    many = mean_of([1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    assert many.low < 3.5 < many.high
    assert mean_of([1.0, 2.0, 3.0, 4.0, 5.0, 6.0]) == many


def test_scores_that_are_no_numbers_are_left_out_and_counted():
    assert mean_of([1.0, math.nan, 3.0]).pictures == 2
    assert math.isnan(mean_of([math.nan]).mean)


def test_every_method_is_averaged_over_the_same_pictures():
    values = {"predictor": [1.0, 2.0, 3.0], "restored": [0.5, math.nan, 4.0]}
    rows = tuple(Score(m, str(i), "lpips", v) for m, row in values.items() for i, v in enumerate(row))
    scores = Scores(rows, {"lpips": "lower"})
    assert scores.complete("lpips") == ["0", "2"]
    assert scores.means() == {"predictor": {"lpips": 2.0}, "restored": {"lpips": 2.25}}
    assert scores.incomplete() == {"lpips": 1}
    assert "lpips leaves out 1 of them" in explain_table(scores)


def test_tables_say_that_few_pictures_have_no_interval():
    def scores(pictures):
        rows = [Score(m, str(i), "lpips", 0.1 * i + lift) for m, lift in ROWS for i in range(pictures)]
        return Scores(tuple(rows), {"lpips": "lower"})

    few, many = scores(5), scores(6)
    assert explain_table(few) == "Mean over 5 pictures ± standard error; no interval below 6 pictures."
    assert score_rows(few)[0] == ["predictor", "0.2 ± 0.071"]
    assert paired_rows(few) == [["restored", "+0.5, 0/5"]]
    assert explain_table(many) == "Mean over 6 pictures ± standard error, with the 95 % bootstrap interval."
    assert re.fullmatch(r"0\.25 ± 0\.076 \[0\.\d+, 0\.\d+\]", score_rows(many)[0][1])
    assert paired_rows(many) == [["restored", "+0.5 [+0.5, +0.5], 0/6"]]
    assert "no interval below 6 pictures" in PAIRED


@pytest.mark.parametrize(("better", "wins"), [("higher", 1), ("lower", 2), ("one", 2)])
def test_paired_differences(better, wins):
    """Differences -.5, -.25, +1, 0 have mean .0625; a metric that is best at 1 likes what comes closer to it."""
    values = {"predictor": [2.0, 1.5, 1.0, 3.0], "restored": [1.5, 1.25, 2.0, 3.0]}
    rows = tuple(Score(m, str(i), "k", v) for m, row in values.items() for i, v in enumerate(row))
    pair = Scores(rows, {"k": better}).against("predictor")["restored"]["k"]
    assert (pair.difference.mean, pair.difference.pictures) == (0.0625, 4)
    assert (pair.wins, pair.ties) == (wins, 1)


def test_bootstrap_agrees_with_the_normal_interval():
    values = [math.sin(i) for i in range(400)]
    m = mean_of(values)
    assert m.high - m.low == pytest.approx(2 * 1.96 * m.standard_error, rel=0.1)


def test_round_trip(tmp_path):
    rows = (Score("degraded", "a", "psnr", 20.5), Score("restored", "b,c", "psnr", 21.25, 4, 0.5))
    scores = Scores(rows, {"psnr": "higher"})
    scores.write(tmp_path / "s.csv")
    assert read_scores(tmp_path / "s.csv") == scores


def test_strength_is_chosen_on_the_other_half():
    """Even pictures are best at .5, odd ones at 1: each half is scored at what the other half likes."""
    values = {("0", 0.5): 0.1, ("0", 1.0): 0.3, ("1", 0.5): 0.4, ("1", 1.0): 0.2, ("2", 0.5): 0.1, ("2", 1.0): 0.3}
    rows = [Score(f"restored w {w}", p, "lpips", v, 4, w) for (p, w), v in values.items()]
    rows += [Score(f"restored w {w}", p, "psnr", 10 * w, 4, w) for p, w in values]
    chosen = Scores(tuple(at_chosen_strength(Scores(tuple(rows), BETTER), "lpips")), BETTER)
    assert chosen.methods() == ["restored 4 calls w chosen"]
    assert chosen.of("restored 4 calls w chosen", "lpips") == {"0": 0.3, "1": 0.4, "2": 0.3}
    assert chosen.of("restored 4 calls w chosen", "psnr") == {"0": 10.0, "1": 5.0, "2": 10.0}


def test_nothing_to_choose_from():
    one = Scores((Score("restored 4 calls", "a", "lpips", 0.1, 4, 1.0),), BETTER)
    assert at_chosen_strength(one, "lpips") == []


@pytest.mark.parametrize(("better", "value", "loss"), [("higher", 2.0, -2.0), ("lower", 2.0, 2.0), ("one", 0.75, 0.25)])
def test_directions(better, value, loss):
    assert loss_of(better, value) == loss


def test_a_summary_reads_the_scores_once_and_not_once_for_each_picture():
    class Counted(tuple):
        passes = 0

        def __iter__(self):
            Counted.passes += 1
            return super().__iter__()

    rows = Counted(Score(m, str(i), k, 1.0) for m in ("predictor", "restored") for i in range(9) for k in BETTER)
    scores = Scores(rows, BETTER)
    scores.summary()
    scores.against("predictor")
    assert Counted.passes <= 2  # one for the pairs, one for the pictures


def test_reading_and_summing_up_scores_needs_no_torch():
    code = "import sys, texprior.evaluation.scores; print(sorted({'torch', 'pandas'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=180)
    assert done.stdout == "[]\n", done.stderr
