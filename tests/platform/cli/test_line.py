"""prior -> adapt -> restore -> evaluate -> sweep, on the tiny study."""

import csv
import json
import math
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors import safe_open


def read(path):
    return np.asarray(Image.open(path), dtype=np.float64)


def psnr(a, b):
    return 10 * math.log10(255**2 / ((a - b) ** 2).mean())


def test_the_folders_hold_what_a_resume_and_a_reader_need(study):
    prior, model = Path(study.prior.json["prior"]), study.model
    assert {p.name for p in prior.iterdir()} == {
        "README.md",
        "checkpoint.safetensors",
        "config.yaml",
        "prior.safetensors",
    }
    assert {"adapter.safetensors", "predictor.safetensors", "config.yaml", "README.md"} <= {
        p.name for p in model.iterdir()
    }
    with safe_open(prior / "prior.safetensors", "pt") as file:
        assert json.loads(file.metadata()["texprior"])["images_seen"] == 64


def test_a_second_run_takes_what_is_there(texprior, in_study):
    answer = texprior("prior", in_study.file, "--json")
    assert answer.json == in_study.prior.json
    assert "is trained already" in answer.err


def test_adapt_without_a_trained_prior_says_how_to_get_one(texprior, in_study):
    answer = texprior("adapt", in_study.file, "--set", "training.prior.budget.images=72")
    assert answer.code == 2
    assert "own prior is not trained yet" in answer.err
    assert "texprior prior" in answer.err


def test_a_dry_run_measures_and_leaves_no_trace(texprior, write, runs):
    prior = texprior("prior", write(), "--dry-run", "--json")
    stage_two = texprior("adapt", write(), "--dry-run", "--json")
    assert (prior.code, stage_two.code) == (0, 0), prior.err + stage_two.err
    (first,) = prior.json["stages"]
    second, third = stage_two.json["stages"]
    assert [s["stage"] for s in (first, second, third)] == ["prior", "predictor", "adapter"]
    assert first["trainable"] == first["parameters"]  # net S is none
    assert third["parameters"] == third["trainable"] + first["parameters"] + second["parameters"]
    for stage, budget in ((first, 64), (second, 64), (third, 32)):
        assert stage["budget_images"] == budget
        assert stage["expected_s"] == pytest.approx(budget / stage["images_per_s"])
        assert stage["memory_mb"] > 50
    assert prior.json["experiment"]["denoiser"]["unet"]["width"] == 8
    assert not runs.exists()


def test_a_dry_run_of_a_sweep_counts_its_trials(texprior, in_study):
    answer = texprior(
        "sweep", in_study.file, "--trials", 3, "--prior", in_study.prior.json["prior"], "--dry-run", "--json"
    )
    predictor, adapter = answer.json["stages"]
    assert (predictor["stage"], predictor["times"], adapter["stage"], adapter["times"]) == (
        "predictor",
        1,
        "adapter",
        3,
    )
    assert adapter["expected_s"] == pytest.approx(3 * 32 / adapter["images_per_s"])
    (*stage_one, _, trials) = texprior("demo", "--quick", "--dry-run", "--json").json["stages"]
    assert [s["stage"] for s in stage_one] == ["prior"]
    assert trials["times"] == 4


def test_a_dry_run_counts_the_parameters_of_the_trained_files(texprior, in_study):
    (stage,) = texprior("prior", in_study.file, "--dry-run", "--json").json["stages"]
    with safe_open(Path(in_study.prior.json["prior"]) / "prior.safetensors", "pt") as file:
        stored = sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118 (no mapping)
    assert stage["parameters"] == stored


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
        assert shown["low"] <= shown["mean"] <= shown["high"]


def test_a_strength_of_zero_is_the_prediction(evaluated):
    means = evaluated[0]["metrics"]
    for metric, mean in means["restored 2 calls w 0"].items():
        assert mean["mean"] == pytest.approx(means["predictor"][metric]["mean"], rel=1e-6)
    assert means["restored 2 calls w 1"]["psnr_rgb"]["mean"] != means["predictor"]["psnr_rgb"]["mean"]


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
    assert files == {"evaluation-val/scores.csv", "evaluation-val/sheet.png"}
    width, height = Image.open(found["sheet"]).size
    assert width > height > 2 * 100


def test_a_sweep_shares_the_prior_and_the_predictor_and_names_the_best(texprior, in_study):
    answer = texprior("sweep", in_study.file, "--set", "sweep.confirm.top=0", "--trials", "2", "--json")
    assert answer.code == 0, answer.err
    found = answer.json
    assert found["prior"] == in_study.prior.json["prior"]
    assert found["predictor"] == in_study.adapt.json["predictor"]
    assert [t["state"] for t in found["trials"]] == ["finished", "finished"]
    assert {t["params"]["adapter.cga.kernel"] for t in found["trials"]} == {1, 3}
    best = max(found["trials"], key=lambda t: t["values"]["psnr_rgb"])
    assert found["best"] == best
    assert found["metrics"]["restored 2 calls"]["psnr_rgb"] == pytest.approx(best["values"]["psnr_rgb"], rel=1e-5)

    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=found["parent_run"]["tracking_uri"])
    parent = client.get_run(found["parent_run"]["run_id"])
    assert parent.data.metrics["best.psnr_rgb"] == pytest.approx(best["values"]["psnr_rgb"])
    assert parent.data.metrics["best.adapter.cga.kernel"] == best["params"]["adapter.cga.kernel"]
    query = f"tags.mlflow.parentRunId = '{parent.info.run_id}'"
    trials = client.search_runs([parent.info.experiment_id], query)
    assert {tuple(r.data.params.items()) for r in trials} == {(("adapter.cga.kernel", k),) for k in ("1", "3")}
    assert {r.info.status for r in trials} == {"FINISHED"}
    for run in trials:
        number = int(run.data.tags["texprior.trial"])
        assert run.data.metrics["psnr_rgb"] == pytest.approx(found["trials"][number]["values"]["psnr_rgb"])

    again = texprior("sweep", in_study.file, "--set", "sweep.confirm.top=0", "--trials", "2", "--json")
    assert again.code == 0, again.err
    assert again.json["trials"] == found["trials"]
    assert again.json["model"] == found["model"]


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
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"scores.csv", "sheet.png"}


def test_a_section_of_a_card_is_replaced_and_its_surroundings_stay(tmp_path):
    from texprior.models.folders import put_section

    card = tmp_path / "README.md"
    card.write_text("# Title\n\n## First\n\nold\n\n## Last\n\nend\n", encoding="utf-8")
    put_section(card, "First", "new\n")
    put_section(card, "Scores", "1\n")
    put_section(card, "Scores", "2\n")
    expected = "# Title\n\n## First\n\nnew\n\n## Last\n\nend\n\n## Scores\n\n2\n"
    assert card.read_text(encoding="utf-8") == expected
