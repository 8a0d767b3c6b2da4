"""What an ablation's scores say: complete cases, directions, references, and the sentence on top."""

import math

import numpy as np
import pytest

from texprior.ablations.comparison import results_of
from texprior.ablations.report import text
from texprior.evaluation.scores import Score, Scores

BETTER = {"psnr": "higher", "lpips": "lower", "ratio": "one"}
PICTURES = [f"p{n:02}" for n in range(12)]


def training(values, pictures=PICTURES):
    """Scores of one training: metric -> one value for each picture, or a number for all."""
    rows = [Score("predictor", p, metric, 1.0) for metric in values for p in pictures]
    for metric, given in values.items():
        each = np.broadcast_to(given, len(pictures))
        rows += [Score("restored 4 calls", p, metric, float(v), 4, 1.0) for p, v in zip(pictures, each, strict=True)]
    return Scores(tuple(rows), BETTER)


def found(metric="lpips", **arms):
    return results_of(arms, list(arms), next(iter(arms)), metric, BETTER)


def test_differences_are_in_the_metrics_own_direction():
    base = [training({"psnr": 30.0, "lpips": 0.2, "ratio": 0.8})] * 2
    other = [training({"psnr": 31.0, "lpips": 0.15, "ratio": 1.1})] * 2
    results = found(base=base, other=other)
    psnr, lpips, ratio = (results.of("other", m).difference for m in ("psnr", "lpips", "ratio"))
    assert results.shown(psnr, "psnr") == pytest.approx((1.0, 1.0, 1.0))
    assert results.shown(lpips, "lpips") == pytest.approx((-0.05, -0.05, -0.05))
    assert results.shown(ratio, "ratio") == pytest.approx((-0.1, -0.1, -0.1))  # .1 from 1 instead of .2
    assert psnr.better
    assert lpips.better
    assert ratio.better
    assert results.of("other", "ratio").mean == pytest.approx(1.1)
    assert results.ranking() == ["other", "base"]
    assert results.references == {"predictor": pytest.approx({"psnr": 1.0, "lpips": 1.0, "ratio": 1.0})}


def test_where_one_is_best_trainings_on_both_sides_of_it_do_not_cancel():
    base = [training({"ratio": 0.9}), training({"ratio": 0.9})]
    wild = [training({"ratio": 0.7}), training({"ratio": 1.3})]  # .3 from 1, each of them
    assert found("ratio", base=base, wild=wild).of("wild", "ratio").difference.mean == pytest.approx(0.2)


def test_all_arms_are_judged_on_the_pictures_that_all_have_a_score_for():
    values = np.linspace(0.1, 0.2, 12)
    holed = values.copy()
    holed[3] = math.nan
    results = found(base=[training({"lpips": values})], other=[training({"lpips": holed + 0.01})])
    assert results.pictures["lpips"] == [p for p in PICTURES if p != "p03"]
    assert results.left_out["lpips"] == 1
    assert results.of("base").mean == pytest.approx(np.delete(values, 3).mean())
    assert "lpips leaves out 1 picture " in text.evidence_sentence(results, "val")


def test_an_arm_without_any_score_costs_the_others_nothing():
    results = found(
        base=[training({"lpips": 0.2})], lost=[training({"lpips": math.nan})], other=[training({"lpips": 0.1})]
    )
    assert results.ranking() == ["other", "base"]
    assert len(results.pictures["lpips"]) == 12
    assert results.of("lost") is None


def test_the_sentence_says_who_is_separated_and_who_is_not():
    rng = np.random.default_rng(0)
    values = rng.normal(0.2, 0.03, 12)

    def arm(shift, noise):
        return [training({"lpips": values + shift + rng.normal(0, noise, 12)}) for _ in range(3)]

    results = found(
        base=arm(0, 1e-4), good=arm(-0.02, 1e-3), fine=arm(-0.01, 1e-3), bad=arm(0.03, 1e-3), even=arm(0, 0.02)
    )
    assert text.answer_sentence(results) == (
        "By lpips (lower is better): good and fine are separated from base, and better; "
        "bad is separated from base, and worse; even is not separated from base."
    )
    assert text.evidence_sentence(results, "val") == "12 pictures of the split val, 3 trainings of each arm."
    assert [row[0] for row in text.ranking_rows(results)] == results.ranking()


def test_without_a_baseline_there_is_no_answer():
    results = results_of({"other": [training({"lpips": 0.1})]}, ["base", "other"], "base", "lpips", BETTER)
    assert text.answer_sentence(results) == "The baseline base has no lpips to compare with: there is no answer."
    assert text.ranking_rows(results)[0][0] == "other"


def test_the_front_holds_what_no_other_arm_beats_in_both_metrics():
    arms = {
        "sharp": {"psnr": 29.0, "lpips": 0.10},
        "true": {"psnr": 31.0, "lpips": 0.20},
        "between": {"psnr": 30.0, "lpips": 0.15},
        "beaten": {"psnr": 29.5, "lpips": 0.16},
        "twin": {"psnr": 30.0, "lpips": 0.15},
        "as true": {"psnr": 31.0, "lpips": 0.25},
    }
    results = found(**{arm: [training(values)] for arm, values in arms.items()})
    assert results.front("psnr") == ["true", "between", "twin", "sharp"]


def test_where_one_is_best_the_front_goes_by_the_distance_from_it():
    values = {"low": (0.8, 0.1), "high": (1.1, 0.2), "far": (1.5, 0.2)}
    results = found(**{arm: [training({"ratio": ratio, "lpips": lpips})] for arm, (ratio, lpips) in values.items()})
    assert results.front("ratio") == ["high", "low"]
