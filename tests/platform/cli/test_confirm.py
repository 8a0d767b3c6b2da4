"""texprior sweep with two workers: the best trials are trained again with fresh seeds, shared among them, once."""

import csv
from pathlib import Path
from statistics import fmean

import pytest


def test_two_workers_confirm_the_best_trials_once(texprior, in_study):
    settings = {"name": "confirmed", "events": "[]", "sweep.confirm": "{top: 2, seeds: 2}"}
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
    models = sorted(Path(found["model"]).parent.glob("model-*"))
    again = texprior(*command)
    assert again.json["confirmed"] == found["confirmed"]
    assert "again, with seed" not in again.err
    assert sorted(Path(found["model"]).parent.glob("model-*")) == models
