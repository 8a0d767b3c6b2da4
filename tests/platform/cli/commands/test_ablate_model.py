"""texprior ablate with ablation.model: one trained model, sampled in several ways."""

import csv
import shutil
from pathlib import Path

import pytest
import yaml
from PIL import Image


def ablation(study, **more):
    return {
        "model": str(study.model),
        "grid": {"sampling.sampler": [{"ddim": {"eta": 0.0}}, "dpmpp-2m-sde"], "sampling.steps": [1, 3]},
        "seeds": [0, 5],
        "metric": "psnr_rgb",
        "against": "texture_ratio_gauss2",
        **more,
    }


@pytest.fixture(scope="module")
def file(study):
    """The tiny study without its net S and its denoiser: the defaults are others than the model's."""
    described = yaml.safe_load(study.file.read_text(encoding="utf-8"))
    del described["encoder"], described["denoiser"]
    path = study.file.with_name("sampled.yaml")
    path.write_text(yaml.safe_dump({**described, "name": "sampled", "ablation": ablation(study)}), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def sampled(texprior, study, file):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEXPRIOR_RUNS", str(study.runs))
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        answer = texprior("ablate", file, "--json")
    assert answer.code == 0, answer.err
    return answer


def scores(path):
    with path.open(encoding="utf-8", newline="") as text:
        return list(csv.DictReader(text))


def test_nothing_is_trained_and_every_arm_samples_the_model(sampled, study):
    cells = sampled.json["cells"]
    assert len(cells) == 4 * 2
    assert {(c["status"], c["model"]) for c in cells} == {("finished", str(study.model))}
    assert cells[0]["images"] == {"prior": 64, "predictor": 64, "adapter": 32}
    assert list(cells[0]["decomposition"]) == ["guided"]
    stored = yaml.safe_load((Path(cells[0]["folder"]) / "config.yaml").read_text(encoding="utf-8"))
    assert stored["encoder"] == {"none": {}}  # the model's, not the default
    assert stored["denoiser"]["unet"]["width"] == 8
    assert not list((study.runs / "sampled").rglob("*.safetensors"))


def test_an_arm_has_the_scores_that_evaluate_gives(texprior, in_study, sampled, tmp_path):
    cell = next(c for c in sampled.json["cells"] if c["arm"] == "ddim steps=3" and c["seed"] == 5)
    described = yaml.safe_load((Path(cell["folder"]) / "config.yaml").read_text(encoding="utf-8"))
    assert described["evaluation"]["seed"] == 5
    settings = ["sampling.sampler={ddim: {eta: 0.0}}", "sampling.steps=3", "evaluation.seed=5"]
    options = [option for setting in settings for option in ("--set", setting)]
    answer = texprior(
        "evaluate", in_study.file, "--model", in_study.model, "--split", "val", *options, "-o", tmp_path, "--json"
    )
    assert answer.code == 0, answer.err
    expected = scores(tmp_path / "scores.csv")
    assert any(row["method"].startswith("restored") for row in expected)
    assert scores(Path(cell["folder"]) / "scores.csv") == expected


def test_the_report_speaks_of_samplings_and_shows_the_plane(sampled):
    page = Path(sampled.json["report"]).read_text(encoding="utf-8")
    assert "2 samplings of each arm" in page
    assert "All arms sample one trained model" in page
    assert "same learning rates" not in page
    assert "<h2>psnr_rgb ↑ against texture_ratio_gauss2 →1</h2>" in page
    assert Image.open(Path(sampled.json["folder"]) / "plane.png").width > 600
    best = {m: max(rows, key=lambda arm: rows[arm]["mean"]) for m, rows in sampled.json["table"].items()}
    assert f"<li>{best['psnr_rgb']}: " in page.partition("which are numbered")[2].partition("</ol>")[0]


def test_its_runs_saw_no_training_pictures(sampled):
    from mlflow import MlflowClient

    found = sampled.json["run"]
    client = MlflowClient(tracking_uri=found["tracking_uri"])
    runs = client.search_runs([found["experiment_id"]], "tags.`texprior.stage` = 'cell'")
    assert len(runs) == 8
    inputs = [[tag.value for tag in data.tags] for run in runs for data in run.inputs.dataset_inputs]
    assert inputs == [["evaluation"]] * 8


def test_a_dry_run_counts_no_training(texprior, in_study, study, file, sampled):
    described = yaml.safe_load(file.read_text(encoding="utf-8"))
    described["ablation"]["seeds"] = [7]
    more = file.with_name("more.yaml")
    more.write_text(yaml.safe_dump(described), encoding="utf-8")
    answer = texprior("ablate", more, "--dry-run", "--json")
    assert answer.code == 0, answer.err
    assert [(s["stage"], s["budget_images"]) for s in answer.json["stages"]] == [("evaluations", 2 * 4)]


def test_a_model_is_sampled_where_what_it_started_from_is_gone(texprior, in_study, study, file, sampled, tmp_path):
    model = shutil.copytree(study.model, tmp_path / "model")
    told = yaml.safe_load((model / "config.yaml").read_text(encoding="utf-8"))
    told["training"]["adapter"]["start_from"] = "/home/someone/runs/gone"
    (model / "config.yaml").write_text(yaml.safe_dump(told), encoding="utf-8")
    again = texprior("ablate", file, "--set", f"ablation.model={model}", "--prior", study.prior.json["prior"], "--json")
    assert again.code == 0, again.err
    # the weights are the same, and so are the cells
    assert [cell["folder"] for cell in again.json["cells"]] == [cell["folder"] for cell in sampled.json["cells"]]


def test_a_decomposition_that_the_model_does_not_have_is_refused(
    texprior, in_study, study, file, monkeypatch, tmp_path
):
    monkeypatch.setenv("TEXPRIOR_RUNS", str(tmp_path / "runs"))
    for options in ([], ["--dry-run"]):
        answer = texprior("ablate", file, "--set", "decomposition=gaussian", *options)
        assert (answer.code, answer.out) == (2, "")
        assert 'decomposition: the prior has "guided", the experiment "gaussian"' in answer.err
        assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"grid": {"decomposition": ["guided", "l0"]}},
            "arm 'guided': decomposition: ablation.model is sampled and not trained: arms can differ only in sampling",
        ),
        ({"model": "nowhere"}, "nowhere"),
        ({"against": "psnr_rbg"}, "does not measure 'psnr_rbg'; did you mean 'psnr_rgb'?"),
        ({"grid": {"sampling.steps": [1, 0]}}, "ablation: arm 'steps=0': sampling.steps"),
    ],
)
def test_what_cannot_be_sampled_is_refused(texprior, in_study, study, file, tmp_path, monkeypatch, changes, said):
    described = yaml.safe_load(file.read_text(encoding="utf-8"))
    path = tmp_path / "experiment.yaml"
    path.write_text(yaml.safe_dump({**described, "ablation": ablation(study, **changes)}), encoding="utf-8")
    monkeypatch.setenv("TEXPRIOR_RUNS", str(tmp_path / "runs"))
    answer = texprior("ablate", path)
    assert (answer.code, answer.out) == (2, "")
    assert said in answer.err
    assert not (tmp_path / "runs").exists()
