"""The studies in experiments/: every arm resolves and works on small networks, and stored results are found again."""

import csv
import importlib
import json
import shutil
from pathlib import Path

import pytest

from texprior.ablations.arms import arms_of, baseline_of
from texprior.ablations.cells import outcome_of
from texprior.ablations.plan import plan_of
from texprior.config import load, with_overrides
from texprior.models.folders import load_model
from texprior.registry import Registry
from texprior.runtime.session import Session
from texprior.store import sha256
from texprior.training.preflight import rehearse_sampling, rehearse_training

ROOT = Path(__file__).resolve().parents[2] / "experiments"
STUDIES = sorted(
    str(p.relative_to(ROOT).with_suffix(""))
    for p in ROOT.glob("*/*.yaml")
    if "\nablation:" in p.read_text("utf-8") or "\nextends: experiment.yaml" in p.read_text("utf-8")
)
"""The files that ``texprior ablate`` takes: each study's own, and the same question on other tasks beside it."""
SMALL = {
    "denoiser.unet.width": 8,
    "predictor.unet.width": 8,
    **{f"training.{stage}.patch": 32 for stage in ("prior", "predictor", "adapter")},
}


def test_the_studies_are_found():
    names = {"concat-choice", "decomposition-ablation", "encoder-or-not", "sampler-steps", "stage1-or-not"}
    assert {f"{name}/experiment" for name in names} <= set(STUDIES)


def cells_of(study):
    """The folder of a study's stored cells."""
    folder, file = study.split("/")
    return ROOT / folder / "results" / ("" if file == "experiment" else file) / "cells"


def test_all_stored_cells_belong_to_a_study():
    assert set(ROOT.glob("*/results/**/cells")) == {cells_of(study) for study in STUDIES if cells_of(study).is_dir()}


@pytest.mark.parametrize("study", [study for study in STUDIES if cells_of(study).is_dir()])
def test_the_stored_cells_of_a_study_are_found(study, shared, monkeypatch, tmp_path):
    """Copied into a folder of runs, they are what ``texprior ablate`` continues from: names and contents match."""
    monkeypatch.chdir(ROOT.parent)
    registry = Registry.discover()
    session = Session(load(ROOT / f"{study}.yaml", registry), registry, root=tmp_path)
    stored = {path.name for path in cells_of(study).iterdir() if path.is_dir()}
    shutil.copytree(cells_of(study), tmp_path / session.experiment.name)
    done = {cell.folder.name for cell in plan_of(session).cells if (o := outcome_of(cell)) and o.status == "finished"}
    assert stored
    assert stored <= done


@pytest.mark.parametrize("study", sorted(p.parent.name for p in ROOT.glob("*/results")))
def test_every_stored_result_names_what_made_it(study):
    """Command, commit, day and versions; what is not known of old results is said."""
    record = json.loads((ROOT / study / "results" / "record.json").read_text("utf-8"))
    assert record["results"]
    for name, result in record["results"].items():
        assert (ROOT / study / "results" / name).exists()
        assert {"what", "command", "commit", "stored_with", "date", "versions", "known"} == set(result)
        assert result["commit"] or result["known"]
        assert set(result["versions"]) == {"texprior", "torch"}
    assert all((ROOT / study / "results" / check["scores"]).is_file() for check in record["checks"])


@pytest.fixture
def check(monkeypatch):
    """``experiments/check.py``, at the top level of the repository."""
    monkeypatch.chdir(ROOT.parent)
    monkeypatch.syspath_prepend(ROOT)
    return importlib.import_module("check")


def test_a_stored_result_with_weights_is_scored_again(check, shared):
    """The rows of the model of sampler-steps that its check scores, on two pictures."""
    for part in check.read_record("sampler-steps")["checks"]:
        found = check.run_check("sampler-steps", part, pictures=2)
        assert [(d.row, d.pictures, d.holds) for d in found] == [(d.row, 2, True) for d in found]


def test_a_stored_result_that_is_not_what_is_scored_is_told(check, shared, monkeypatch, tmp_path):
    """A hundredth of a dB more in the stored file, and a row that is not in it."""
    shutil.copytree(ROOT / "concat-choice" / "results", tmp_path / "study" / "results")
    monkeypatch.setattr(check, "ROOT", tmp_path)
    (part,) = check.read_record("study")["checks"]
    assert all(d.holds for d in check.run_check("study", part, pictures=1))
    stored = tmp_path / "study" / "results" / part["scores"]
    stored.write_text(stored.read_text().replace("psnr_rgb,higher,24.1685", "psnr_rgb,higher,24.1785"))
    psnr, lpips = check.run_check("study", part, pictures=1)
    assert (psnr.metric, psnr.holds, lpips.holds) == ("psnr_rgb", False, True)
    assert not check.run_check("study", part | {"rows": {"predictor": "predictor"}}, pictures=1)[0].holds


def test_rows_that_are_not_scored_again_are_told(check):
    """The predictor of 196,000 patches, whose weights were not kept, is not covered by a check that holds."""
    (part,) = [c for c in check.read_record("defocus")["checks"] if c["scores"].startswith("predictor-whole")]
    assert "predictor" in check.unchecked_rows("defocus", part)
    assert "degraded" not in check.unchecked_rows("defocus", part)


@pytest.mark.parametrize("study", STUDIES)
def test_every_arm_works_and_the_readme_says_how_to_run_it(study, monkeypatch):
    monkeypatch.chdir(ROOT.parent)
    registry = Registry.discover()
    folder, file = study.split("/")
    experiment = load(ROOT / f"{study}.yaml", registry)
    assert experiment.name == (folder if file == "experiment" else f"{folder}-{file}")
    assert len(experiment.ablation.seeds) >= (3 if experiment.ablation.model is None else 1)
    readme = (ROOT / folder / "README.md").read_text("utf-8")
    assert f"texprior ablate experiments/{study}.yaml" in readme
    arms = arms_of(experiment, registry)
    assert baseline_of(experiment, arms) in arms
    for arm in arms:
        small = with_overrides(arm.experiment, SMALL, registry)
        session = Session(small.model_copy(update={"device": "cpu"}), registry)
        if experiment.ablation.model is None:
            rehearse_training(session)
        else:
            rehearse_sampling(session, load_model(Path(experiment.ablation.model), session.builder))


def test_the_photographs_of_the_studies_are_those_that_are_listed(shared):
    with (ROOT / "photographs.csv").open(encoding="utf-8", newline="") as file:
        rows = {row["path"]: row for row in csv.DictReader(file)}
    there = {path.relative_to(shared / "data").as_posix() for path in (shared / "data" / "hq").rglob("*.*")}
    assert set(rows) == there
    for name, row in list(rows.items())[::20]:  # all of them take seconds
        assert sha256(shared / "data" / name) == row["sha256"]
