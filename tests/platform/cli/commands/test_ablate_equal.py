"""texprior ablate with the predictor alone: it trains no prior, and its score is that of its estimates."""

import csv
from pathlib import Path

import pytest
import yaml

ABLATION = {"arms": {"method": {}}, "seeds": [0], "metric": "psnr_rgb", "equal": "images", "predictor_alone": True}


@pytest.fixture
def file(study):
    """The tiny study under another name, beside its runs."""
    described = yaml.safe_load(study.file.read_text(encoding="utf-8"))
    path = study.file.with_name("lone.yaml")
    path.write_text(yaml.safe_dump({**described, "name": "lone", "ablation": ABLATION}), encoding="utf-8")
    return path


def test_the_predictor_alone_is_trained_scored_and_named_first(texprior, in_study, file):
    runs = in_study.runs / "lone"
    dry = texprior("ablate", file, "--dry-run", "--json")
    assert dry.code == 0, dry.err
    assert not runs.exists()
    stages = {
        (s["stage"].partition(" ")[0], s["budget_images"]): s["times"] for s in dry.json["stages"] if s["trainable"]
    }
    # 64 + 64 + 32 images for the predictor alone
    assert stages == {("prior", 64): 1, ("predictor", 64): 1, ("predictor", 160): 1, ("adapter", 32): 1}

    answer = texprior("ablate", file, "--json")
    assert answer.code == 0, answer.err
    found = answer.json
    method, alone = found["cells"]
    assert (alone["arm"], alone["images"], alone["status"]) == ("predictor alone", {"predictor": 160}, "finished")
    assert [cell["folder"] for cell in dry.json["cells"]] == [method["folder"], alone["folder"]]
    assert len(list(runs.glob("prior-*"))) == len(list(runs.glob("model-*"))) == 1
    assert found["answer"].startswith("Trained on as many images, the predictor alone scores ")
    assert any("The prior is 40% of that" in note and "would have 96 images" in note for note in found["caveats"])

    # its restored pictures are its estimates
    with (Path(alone["folder"]) / "scores.csv").open(encoding="utf-8", newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if row["metric"] == "psnr_rgb"]
    by_method = {m: [r["value"] for r in rows if r["method"] == m] for m in ("predictor", "restored 0 calls")}
    assert by_method["predictor"] == by_method["restored 0 calls"]
    assert len(by_method["predictor"]) == 2

    # the same in the report, and in MLflow
    page = Path(found["report"]).read_text(encoding="utf-8")
    assert found["answer"] in page
    assert "psnr_rgb ↑ over compute" in page
    assert (Path(found["folder"]) / "compute.png").is_file()
    # an experiment file trains all three, so none of them is the predictor alone
    best = Path(found["folder"]) / "best.yaml"
    assert best.is_file() == (found["ranking"][0] == "method")
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=found["run"]["tracking_uri"])
    (run,) = client.search_runs(
        [found["run"]["experiment_id"]], "tags.`texprior.predictor_alone` = 'true' and tags.`texprior.stage` = 'arm'"
    )
    assert run.data.params == {"training.predictor.budget.images": "160"}
    compute = found["compute"]["predictor alone"]
    assert run.data.metrics["compute/flops"] == compute["predictor"] > 0
    assert run.data.metrics["diff/psnr_rgb"] == pytest.approx(
        -found["table"]["psnr_rgb"]["predictor alone"]["difference"]["mean"]
    )
