"""What an ablation's scores say: complete cases, directions, references, and the front."""

import math
from html import unescape
from pathlib import Path

import numpy as np
import pytest

from texprior.ablations.finish import AblationDone
from texprior.ablations.report import text

PICTURES = [f"p{n:02}" for n in range(12)]


def test_differences_are_in_the_metrics_own_direction(training, found):
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


def test_where_one_is_best_trainings_on_both_sides_of_it_do_not_cancel(training, found):
    base = [training({"ratio": 0.9}), training({"ratio": 0.9})]
    wild = [training({"ratio": 0.7}), training({"ratio": 1.3})]  # .3 from 1, each of them
    assert found("ratio", base=base, wild=wild).of("wild", "ratio").difference.mean == pytest.approx(0.2)


def test_all_arms_are_judged_on_the_pictures_that_all_have_a_score_for(training, found):
    values = np.linspace(0.1, 0.2, 12)
    holed = values.copy()
    holed[3] = math.nan
    results = found(base=[training({"lpips": values})], other=[training({"lpips": holed + 0.01})])
    assert results.pictures["lpips"] == [p for p in PICTURES if p != "p03"]
    assert results.left_out["lpips"] == 1
    assert results.of("base").mean == pytest.approx(np.delete(values, 3).mean())
    assert "lpips leaves out 1 picture " in text.evidence_sentence(results, "val")


def test_an_arm_without_any_score_costs_the_others_nothing(training, found):
    results = found(
        base=[training({"lpips": 0.2})], lost=[training({"lpips": math.nan})], other=[training({"lpips": 0.1})]
    )
    assert results.ranking() == ["other", "base"]
    assert len(results.pictures["lpips"]) == 12
    assert results.of("lost") is None


def test_the_front_holds_what_no_other_arm_beats_in_both_metrics(training, found):
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


def test_where_one_is_best_the_front_goes_by_the_distance_from_it(training, found):
    values = {"low": (0.8, 0.1), "high": (1.1, 0.2), "far": (1.5, 0.2)}
    results = found(**{arm: [training({"ratio": ratio, "lpips": lpips})] for arm, (ratio, lpips) in values.items()})
    assert results.front("ratio") == ["high", "low"]


def test_an_ablation_is_a_table_and_a_frame_in_a_notebook(training, found):
    arms = {"base": [training({"lpips": 0.2})] * 2, "other": [training({"lpips": 0.15})] * 2}
    done = AblationDone(plan=None, results=found(**arms), outcomes=[], page=Path("report.html"), run={})
    html = done._repr_html_()
    assert text.answer_sentence(done.results) in unescape(html)
    assert html.index("<td>other</td>") < html.index("<td>base</td>")
    frame = done.to_pandas()
    assert frame.groupby(["arm", "training"])["value"].mean().round(6).to_dict() == {
        ("base", 0): 0.2, ("base", 1): 0.2, ("other", 0): 0.15, ("other", 1): 0.15
    }  # fmt: skip
    assert sorted(set(frame["picture"])) == PICTURES
