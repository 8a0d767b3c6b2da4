"""``texprior runs compare`` and ``diff``: settings, and scores picture by picture."""

import json

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from texprior.cli.commands.runs.sides import pairings, same_inputs, scores_in
from texprior.errors import ConfigError
from texprior.evaluation.scores import Score, Scores

A = np.array([30.0, 31.0, 29.0, 28.0, 33.0, 30.5, 27.5, 31.5])
B = A + np.array([0.5, -0.2, 0.3, 0.0, 0.4, 0.6, -0.1, 0.1])


def scores_of(psnr, method="restored", degraded=25.0):
    rows = [(f"p{i}", float(v)) for i, v in enumerate(psnr)]
    found = [Score("degraded", p, "psnr_rgb", degraded) for p, _ in rows]
    return Scores((*found, *(Score(method, p, "psnr_rgb", v, 4, 1.0) for p, v in rows)), {"psnr_rgb": "higher"})


def test_the_settings_that_differ(ask):
    found = ask("diff", "first", "second", "--json").json
    assert {d["path"]: d["b"] for d in found} == {"denoiser.unet.width": "16", "sampling.steps": "7"}
    assert "no setting differs" in ask("diff", "cell-a", "cell-b").out


def test_a_trial_differs_from_another_in_what_was_searched(ask):
    found = ask("diff", "trial 0", "trial 1", "--json").json
    assert found == [{"path": "adapter.cga.kernel", "a": "1", "b": "3"}]


def test_scores_are_compared_picture_by_picture(ask):
    answer = ask("compare", "first", "second", "--json")
    (row,) = answer.json["rows"]
    psnr = row["metrics"]["psnr_rgb"]
    assert (row["a"], psnr["wins"], psnr["ties"], psnr["difference"]["pictures"]) == ("restored 4 calls", 5, 1, 8)
    assert psnr["difference"]["mean"] == pytest.approx(0.2, abs=1e-9)
    assert psnr["difference"]["standard_error"] == pytest.approx(stats.sem(B - A), rel=1e-6)
    # a bootstrap interval of a mean of eight is near Student's
    low, high = stats.t.interval(0.95, 7, 0.2, stats.sem(B - A))
    assert psnr["difference"]["low"] == pytest.approx(low, abs=0.04)
    assert psnr["difference"]["high"] == pytest.approx(high, abs=0.04)
    assert answer.json["same_inputs"] is True
    text = ask("compare", "first", "second").out
    assert "+0.2 [" in text
    assert "5/8 (1 equal)" in text


def test_two_folders_need_no_store(texprior, recorded, runs):
    folders = [recorded.folder / "made" / name for name in ("first", "second")]
    answer = texprior("runs", "compare", *folders, "--json")
    assert answer.code == 0, answer.err
    assert answer.json["rows"][0]["metrics"]["psnr_rgb"]["wins"] == 5
    assert "no settings are stored with it" in answer.err
    assert not runs.exists()


def test_two_evaluations_of_a_model_differ_in_what_they_changed(texprior, recorded, runs, tmp_path):
    """The settings are those of the model, a folder above, and what each evaluation changed of them."""
    made = recorded.folder / "made" / "first"
    (tmp_path / "config.yaml").write_text("sampling: {steps: 4, sampler: {ddim: {eta: 1.0}}}\n")
    for name, changed in (("a", {}), ("b", {"sampling.steps": 9, "sampling.sampler": {"heun": {}}})):
        (tmp_path / name).mkdir()
        (tmp_path / name / "scores.csv").write_bytes((made / "scores.csv").read_bytes())
        (tmp_path / name / "about.json").write_text(json.dumps({"overrides": changed}))
    answer = texprior("runs", "diff", tmp_path / "a", tmp_path / "b", "--json")
    assert answer.code == 0, answer.err
    assert {(d["path"], d["a"], d["b"]) for d in answer.json} == {
        ("sampling.steps", "4", "9"),
        ("sampling.sampler.ddim.eta", "1.0", None),
        ("sampling.sampler.heun", None, "{}"),
    }


def test_a_run_without_scores_is_compared_by_settings(ask):
    answer = ask("compare", "prior-a", "second", "--json")
    assert answer.code == 0
    assert "no scores.csv is stored with it, so only settings are compared" in answer.err
    assert answer.json["rows"] == []
    assert len(answer.json["settings"]) == 2


def test_rows_of_one_name_are_paired_and_without_one_the_last():
    several = Scores((*scores_of(A, "restored 2").scores, *scores_of(A, "restored 4").scores), {"psnr_rgb": "higher"})
    assert [(p.a, p.b) for p in pairings(several, several)] == [
        ("restored 2", "restored 2"),
        ("restored 4", "restored 4"),
    ]
    assert [(p.a, p.b) for p in pairings(several, scores_of(B, "restored 8"))] == [("restored 4", "restored 8")]
    assert pairings(several, Scores((), {"psnr_rgb": "higher"})) == []


def test_only_pictures_of_both_sides_are_compared():
    (found,) = pairings(scores_of(A), scores_of(B[:6]))
    assert found.scores.paired("B", "A", "psnr_rgb").difference.pictures == 6
    assert found.scores.paired("B", "A", "psnr_rgb").difference.mean == pytest.approx((B - A)[:6].mean())


def test_a_metric_of_another_direction_is_not_compared():
    turned = Scores(scores_of(B).scores, {"psnr_rgb": "lower"})
    assert pairings(scores_of(A), turned) == []


def test_other_degraded_pictures_are_a_warning(texprior, runs, tmp_path):
    assert same_inputs(scores_of(A), scores_of(B))
    assert not same_inputs(scores_of(A), scores_of(B, degraded=24.0))
    scores_of(A).write(tmp_path / "a" / "scores.csv")
    scores_of(B, degraded=24.0).write(tmp_path / "b" / "scores.csv")
    answer = texprior("runs", "compare", tmp_path / "a", tmp_path / "b")
    assert "warning: A and B restored differently degraded pictures" in answer.err


def test_the_sheet_shows_the_place_where_the_pictures_differ(ask, tmp_path):
    answer = ask("compare", "cell-a", "cell-b", "--sheet", tmp_path / "sheet.png", "--json")
    assert answer.code == 0, answer.err
    assert answer.json["sheet"] == str(tmp_path / "sheet.png")
    image = np.asarray(Image.open(tmp_path / "sheet.png").convert("RGB"))
    # a square of 10 x 10 pixels of B is brighter by 90 levels, and no other place of the two pictures differs
    half = image.shape[1] // 2
    bright = (image == 190).all(2)
    assert bright[:, half:].sum() >= 3 * 100
    # a few pixels of letters may have any grey
    assert bright[:, :half].sum() < 20


def test_a_sheet_that_cannot_be_is_a_sentence(ask, tmp_path):
    answer = ask("compare", "first", "second", "--sheet", tmp_path / "sheet.png")
    assert answer.code == 0
    assert "--sheet: no restored pictures are stored with first" in answer.err
    assert not (tmp_path / "sheet.png").exists()
    wrong = ask("compare", "cell-a", "cell-b", "--sheet", tmp_path / "sheet.nonsense")
    assert wrong.code == 2
    assert "cannot be written" in wrong.err


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", "method,picture,metric,value\nx,y,z,much\n"])
def test_broken_scores_are_a_sentence(tmp_path, text):
    (tmp_path / "scores.csv").write_text(text)
    if text:
        with pytest.raises(ConfigError, match=r"scores\.csv: these scores cannot be read"):
            scores_in(tmp_path)
    else:
        assert scores_in(tmp_path).scores == ()
