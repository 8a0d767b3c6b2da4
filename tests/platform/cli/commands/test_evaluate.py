"""``texprior evaluate`` on the tiny study: scores, the strength that is chosen, the model card and the run."""

import csv
import importlib
import math
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def read(path):
    return np.asarray(Image.open(path), dtype=np.float64)


def psnr(a, b):
    return 10 * math.log10(255**2 / ((a - b) ** 2).mean())


@pytest.fixture(scope="module")
def evaluated(texprior, study):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEXPRIOR_RUNS", str(study.runs))
        options = ("--split", "val", "--steps", "1,2", "--texture-strengths", "0,1", "--controls", "--json")
        answers = [texprior("evaluate", study.file, "--model", study.model, *options) for _ in range(2)]
    assert [a.code for a in answers] == [0, 0], answers[0].err
    return answers[0].json, answers[1].json


def test_the_summary_can_be_redone_from_the_scores(evaluated):
    found, _ = evaluated
    values = defaultdict(list)
    with Path(found["scores"]).open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            values[row["method"], row["metric"]].append(float(row["value"]))
    assert len(values) == 11 * 2  # degraded, predictor, 2 steps x (2 strengths + chosen), 3 controls; 2 metrics
    for (method, metric), scores in values.items():
        shown = found["metrics"][method][metric]
        assert shown["pictures"] == len(scores) == 2
        assert shown["mean"] == pytest.approx(np.mean(scores), rel=1e-5)
        assert shown["standard_error"] == pytest.approx(np.std(scores, ddof=1) / math.sqrt(2), rel=1e-3)
        assert (shown["low"], shown["high"]) == (None, None)  # two pictures have no interval


def test_a_strength_of_zero_is_the_prediction(evaluated):
    means = evaluated[0]["metrics"]
    for metric, mean in means["restored 2 calls w 0"].items():
        assert mean["mean"] == pytest.approx(means["predictor"][metric]["mean"], rel=1e-6)
    assert means["restored 2 calls w 1"]["psnr_rgb"]["mean"] != means["predictor"]["psnr_rgb"]["mean"]


def test_orientations_derive_their_own_inputs(texprior, in_study, tmp_path):
    """The mean of the predictions of both, not the prediction of the upright picture, is what strength 0 returns."""
    ensemble = ["--set", "sampling.self_ensemble=2", "--set", "events=[]", "-o", tmp_path / "out", "--json"]
    strengths = ["--split", "val", "--texture-strengths", "0,1"]
    answer = texprior("evaluate", in_study.file, "--model", in_study.model, *strengths, *ensemble)
    assert answer.code == 0, answer.err
    means = answer.json["metrics"]
    (none,) = (row for row in means if row.startswith("restored") and row.endswith("w 0"))
    assert none.removeprefix("restored ").split()[0] == str(2 * 2), "two calls in each orientation"
    assert means[none]["psnr_rgb"]["mean"] != pytest.approx(means["predictor"]["psnr_rgb"]["mean"], rel=1e-6)


def test_a_strength_chosen_on_one_half_is_scored_on_the_other(evaluated):
    found = evaluated[0]
    rows = list(csv.DictReader(Path(found["scores"]).read_text(encoding="utf-8").splitlines()))
    table = defaultdict(dict)
    for row in rows:
        scored = row["method"] in {f"restored 2 calls w {w}" for w in ("0", "0.5", "1")}
        if scored and row["metric"] == "psnr_rgb":
            table[row["picture"]][float(row["texture_strength"])] = float(row["value"])
    first, second = table.values()  # one picture in each half
    choice = {half: max(values, key=values.get) for half, values in (("a", first), ("b", second))}
    expected = (first[choice["b"]] + second[choice["a"]]) / 2
    shown = found["metrics"]["restored 2 calls w chosen"]["psnr_rgb"]
    assert shown["mean"] == pytest.approx(expected, rel=1e-5)


def test_degrade_makes_what_evaluate_scores(texprior, evaluated, pictures, tmp_path):
    named = "{defocus: {radius: 2.0, noise: 2.0}}"
    answer = texprior("degrade", pictures / "val", "--with", named, "-o", tmp_path / "out", "--json")
    assert answer.code == 0, answer.err
    scores = [psnr(read(p["degraded"]), read(p["picture"])) for p in answer.json["pictures"]]
    assert np.mean(scores) == pytest.approx(evaluated[0]["metrics"]["degraded"]["psnr_rgb"]["mean"], abs=0.02)


def test_the_model_card_holds_each_split_once(evaluated, study):
    first, second = evaluated
    assert first["metrics"] == second["metrics"]
    card = (study.model / "README.md").read_text(encoding="utf-8")
    assert card.count("## Scores on val") == 1
    assert "| method | psnr_rgb ↑ | texture_ratio_gauss2 →1 |" in card
    assert "## Components" in card


def test_another_degradation_is_another_section_and_another_folder(texprior, evaluated, in_study):
    """The earlier scores stay; the same evaluation again replaces its own section."""
    card = in_study.model / "README.md"
    before, own = card.read_text(encoding="utf-8"), (in_study.model / "evaluation-val" / "scores.csv").read_bytes()
    options = ("--split", "val", "--set", "degradation={jpeg: {}}", "--set", "events=[]", "--json")
    first, second = (texprior("evaluate", in_study.file, "--model", in_study.model, *options).json for _ in range(2))
    assert first["metrics"]["degraded"] == second["metrics"]["degraded"] != evaluated[0]["metrics"]["degraded"]
    folder = Path(first["scores"]).parent
    assert folder.parent == in_study.model
    assert folder.name.startswith("evaluation-val-")
    assert (in_study.model / "evaluation-val" / "scores.csv").read_bytes() == own

    after = card.read_text(encoding="utf-8")
    title = f"## Evaluation {folder.name.removeprefix('evaluation-val-')} on val\n"
    assert after.count(title) == 1
    section = before.partition("## Scores on val\n")[2].partition("\n## ")[0]
    assert section.strip()
    assert section.strip() in after
    assert '2 of data.val, `{"folder": ' in section
    other = after.partition(title)[2]
    assert 'different from the model\'s own: degradation {"jpeg": ' in other
    assert '(the model\'s own: {"defocus": ' in other


def test_the_run_of_an_evaluation_holds_its_means_and_its_sheet(evaluated):
    from mlflow import MlflowClient

    found = evaluated[0]
    client = MlflowClient(tracking_uri=found["run"]["tracking_uri"])
    run = client.get_run(found["run"]["run_id"])
    assert run.info.status == "FINISHED"
    for method, row in found["metrics"].items():
        for metric, mean in row.items():
            assert run.data.metrics[f"{method}/{metric}"] == pytest.approx(mean["mean"])
    files = {f.path for f in client.list_artifacts(run.info.run_id, "evaluation-val")}
    assert files == {f"evaluation-val/{name}" for name in ("about.json", "scores.csv", "sheet.png")}
    width, height = Image.open(found["sheet"]).size
    assert width > height > 2 * 100


def test_a_broken_picture_costs_the_others_nothing(texprior, in_study, pictures, tmp_path):
    folder = tmp_path / "val"
    folder.mkdir()
    for path in (pictures / "val").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "cut.png").write_bytes((folder / "china.png").read_bytes()[:900])  # its neighbour's control needs another
    options = ["--set", f"data.val.folder.path={folder}", "--set", "events=[]", "-o", tmp_path / "out", "--controls"]
    answer = texprior("evaluate", in_study.file, "--model", in_study.model, "--split", "val", *options, "--json")
    assert answer.code == 1
    assert set(answer.json["broken"]) == {"cut.png"}
    assert "cut.png" in answer.err
    assert {mean["pictures"] for row in answer.json["metrics"].values() for mean in row.values()} == {2}
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"about.json", "scores.csv", "sheet.png"}


def test_what_an_evaluation_cannot_change_is_refused(texprior, in_study, tmp_path):
    out = tmp_path / "out"
    for override in ("decomposition=l0", "adapter.cga.width=16", "seed=3"):
        answer = texprior("evaluate", in_study.file, "--model", in_study.model, "--set", override, "-o", out)
        assert (answer.code, answer.out) == (2, "")
        section = override.partition("=")[0].partition(".")[0]
        assert f"--set {override}: an evaluation takes '{section}' from the model" in answer.err
        assert not out.exists()
    same = ["--set", "adapter.cga.width=8", "--set", "events=[]", "--split", "val", "-o", out]
    answer = texprior("evaluate", in_study.file, "--model", in_study.model, *same)
    assert answer.code == 0, answer.err


def test_a_pair_of_two_sizes_is_named_and_the_others_are_scored(texprior, in_study, pictures, tmp_path):
    for side in ("lq", "gt"):
        (tmp_path / side).mkdir()
        for file in (pictures / "val").iterdir():
            (tmp_path / side / file.name).write_bytes(file.read_bytes())
    Image.new("RGB", (64, 48)).save(tmp_path / "lq" / "china.png")
    data = f"data.val={{paired: {{degraded: {tmp_path}/lq, clean: {tmp_path}/gt}}}}"
    options = ["--split", "val", "--set", data, "--set", "degradation=null", "-o", tmp_path / "out", "--json"]
    answer = texprior("evaluate", in_study.file, "--model", in_study.model, *options)
    assert answer.code == 1
    assert list(answer.json["broken"]) == ["china"]
    reason = answer.json["broken"]["china"]
    assert f"{tmp_path}/lq/china.png has 64 x 48 px and {tmp_path}/gt/china.png has 120 x 100 px" in reason
    assert answer.json["metrics"]["degraded"]["psnr_rgb"]["pictures"] == 1


def test_a_degradation_that_is_not_finite_is_no_fault_of_the_pictures(texprior, in_study, tmp_path):
    file = tmp_path / "no_light.py"
    file.write_text(
        "from texprior.plugin import Degradation, hookimpl\n"
        "class Dark:\n"
        "    def __init__(self, options): pass\n"
        "    def __call__(self, image_CHW, rng): return image_CHW * float('nan')\n"
        "@hookimpl\n"
        "def texprior_degradations(): return [Degradation('dark', 'no_light:Dark', api=2)]\n"
    )
    options = ["--set", "degradation=dark", "--plugin", file, "--set", "events=[]", "-o", tmp_path / "out"]
    answer = texprior("evaluate", in_study.file, "--model", in_study.model, "--split", "val", *options)
    assert answer.code == 1
    assert "degradation 'no-light/dark'" in answer.err
    assert "has values that are not finite" in answer.err
    assert "could not be read" not in answer.err


def test_controls_prepare_no_picture_again(texprior, in_study, pictures, tmp_path, monkeypatch):
    """The first picture's neighbour is the last one, each other's the one before."""
    folder, prepared = tmp_path / "val", []
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.png").write_bytes((pictures / "val" / "china.png").read_bytes())
    module = importlib.import_module("texprior.evaluation.evaluate")
    derive = module.inputs_of
    monkeypatch.setattr(module, "inputs_of", lambda picture, *rest: prepared.append(1) or derive(picture, *rest))
    options = ["--set", f"data.val.folder.path={folder}", "--set", "events=[]", "-o", tmp_path / "out", "--controls"]
    answer = texprior("evaluate", in_study.file, "--model", in_study.model, "--split", "val", *options, "--json")
    assert answer.code == 0, answer.err
    assert len(prepared) == 3
