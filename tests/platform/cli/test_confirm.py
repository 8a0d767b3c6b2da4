"""texprior sweep with two workers: the best trials are trained again with fresh seeds, shared among them, once."""

import csv
from pathlib import Path
from statistics import fmean

import pytest
from mlflow import MlflowClient


def test_two_workers_confirm_the_best_trials_once(texprior, in_study):
    # at this rate trainings of few steps differ visibly
    settings = {"name": "confirmed", "sweep.confirm": "{top: 2, seeds: 2}", "training.adapter.lr": 0.5}
    options = [option for path, value in settings.items() for option in ("--set", f"{path}={value}")]
    command = ("sweep", in_study.file, *options, "--prior", in_study.prior.json["prior"], "--workers", "2", "--json")
    answer = texprior(*command)
    assert answer.code == 0, answer.err
    found = answer.json
    assert sorted(c["trial"] for c in found["confirmed"]) == [0, 1]
    assert found["best"]["number"] == found["confirmed"][0]["trial"]
    assert found["confirmed"][0]["mean"] >= found["confirmed"][1]["mean"]  # psnr
    (folder,) = (in_study.runs / "confirmed").glob("sweep-*")
    for row in found["confirmed"]:
        assert row["seeds"] == [1, 2]
        for seed, value in zip(row["seeds"], row["values"], strict=True):
            with (folder / f"trial-{row['trial']}" / f"seed-{seed}" / "scores.csv").open(newline="") as file:
                scores = [r for r in csv.DictReader(file) if r["metric"] == "psnr_rgb"]
            restored = [float(r["value"]) for r in scores if r["method"].startswith("restored")]
            assert value == pytest.approx(fmean(restored), rel=1e-5)

    # the winner's numbers are those of its confirmation; the selected training's are next to them
    winner, selected = found["confirmed"][0], found["best"]["values"]["psnr_rgb"]
    assert abs(winner["mean"] - selected) > 5e-5
    assert winner["means"]["psnr_rgb"] == pytest.approx(winner["mean"], abs=1e-9)
    (method,) = (name for name in found["metrics"] if name.startswith("restored"))
    # scores.csv has six digits, of 24 dB four decimals
    assert found["metrics"][method]["psnr_rgb"] == pytest.approx(winner["mean"], abs=5e-5)
    assert found["selected"][method]["psnr_rgb"] == pytest.approx(selected, abs=5e-5)
    assert found["metrics"]["degraded"] == found["selected"]["degraded"]
    parent = MlflowClient(found["parent_run"]["tracking_uri"]).get_run(found["parent_run"]["run_id"])
    assert parent.data.metrics["best.psnr_rgb"] == pytest.approx(winner["mean"], abs=1e-9)
    assert parent.data.metrics["selected.psnr_rgb"] == pytest.approx(selected, abs=1e-9)
    note = parent.data.tags["mlflow.note.content"]
    assert "| metric | fresh seeds | selected training |" in note
    assert f"| psnr_rgb | {winner['mean']:.6g} | {selected:.6g} |" in note

    models = sorted(Path(found["model"]).parent.glob("model-*"))
    again = texprior(*command)
    assert again.json["confirmed"] == found["confirmed"]
    assert "again, with seed" not in again.err
    assert sorted(Path(found["model"]).parent.glob("model-*")) == models
