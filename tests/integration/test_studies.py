"""Several commands on one study, and a disk that fills: all end with the same answer, and no trial is lost."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from mlflow import MlflowClient

EXPERIMENT = {
    "name": "together",
    "threads": 1,
    "device": "cpu",
    "data": {**{name: {"bundled": {"max_side": 96}} for name in ("train", "val", "test")}, "variants": 1},
    "encoder": "none",
    "denoiser": {"unet": {"width": 8, "levels": 2, "blocks": 1, "heads": 1}},
    "predictor": {"unet": {"width": 8, "levels": 1, "blocks": 1}},
    "training": {
        stage: {"budget": {"images": 16}, "batch": 8, "patch": 32} for stage in ("prior", "predictor", "adapter")
    },
    "sampling": {"steps": 1},
    "metrics": ["psnr"],
    "evaluation": {"limit": 1},
    "sweep": {
        "space": {"training.adapter.lr": {"low": 1e-4, "high": 1e-2, "log": True}},
        "metric": "psnr_rgb",
        "trials": 3,
        "confirm": {"top": 2, "seeds": 1},
    },
    "ablation": {"grid": {"sampling.steps": [1, 2]}, "seeds": [0], "metric": "psnr_rgb"},
}


def start(name: str, folder: Path, *arguments: str, **more: object) -> subprocess.Popen[str]:
    file = folder / "experiment.yaml"
    if not file.exists():
        file.write_text(yaml.safe_dump({**EXPERIMENT, **more}))
    environment = {**os.environ, "TEXPRIOR_RUNS": str(folder / "runs"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "texprior", name, str(file), *arguments, "--json"]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=400)
    assert "Traceback" not in err, err
    return process.returncode, out, err


@pytest.mark.parametrize("storage", ["sqlite", "journal", "postgres"])
def test_commands_that_are_started_together_end_with_one_answer(tmp_path, request, storage):
    """Two commands on one prior share the trials, the trainings with fresh seeds, and the conclusion."""
    addresses = {"sqlite": f"sqlite:///{tmp_path}/sweep.db", "journal": f"journal:{tmp_path}/sweep.log"}
    address = addresses.get(storage) or request.getfixturevalue(storage)
    prior = ended(start("prior", tmp_path))
    assert prior[0] == 0, prior
    more = ("--storage", address)
    answers = [ended(one) for one in [start("sweep", tmp_path, *more) for _ in range(2)]]
    assert [code for code, _, _ in answers] == [0, 0], answers
    first, second = (json.loads(out) for _, out, _ in answers)
    assert first == second
    assert [t["state"] for t in first["trials"]] == ["finished"] * 3
    trainings = [line for _, _, err in answers for line in err.splitlines() if "again, with seed" in line]
    assert len(trainings) == len(set(trainings)) == len(first["confirmed"]) == 2
    client = MlflowClient(first["parent_run"]["tracking_uri"])
    assert len(client.get_metric_history(first["parent_run"]["run_id"], "best.psnr_rgb")) == 1


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 24 MB, which a test can fill."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", folder], capture_output=True).returncode:
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(disk: Path) -> Path:
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        try:
            while file.write(bytes(4096)):
                pass
        except OSError:
            pass
    return ballast


@pytest.mark.parametrize("storage", ["sqlite:///{}/sweep.db", "journal:{}/sweep.log", "journal:{}/disk/sweep.log"])
def test_a_sweep_on_a_disk_that_fills_goes_on_when_there_is_room(small_disk, tmp_path, storage):
    """No trial is counted as used up, also if the study itself is on that disk."""
    assert ended(start("prior", small_disk, events=[]))[0] == 0
    command = ("sweep", small_disk, "--set", "sweep.confirm.top=0", "--storage", storage.format(tmp_path))
    assert ended(start(*command, "--trials", "1"))[0] == 0
    ballast = fill(small_disk)
    for _ in range(2):
        code, _, err = ended(start(*command))
        assert code == 1, err
        assert err.splitlines()[-1].startswith("error: ")
        assert "No space left on device" in err
        assert "run the same command again to continue" in err
    ballast.unlink()
    code, out, err = ended(start(*command))
    assert code == 0, err
    states = [t["state"] for t in json.loads(out)["trials"]]
    assert (states.count("finished"), set(states) <= {"finished", "interrupted"}) == (3, True)


def test_an_ablation_on_a_disk_that_fills_goes_on_when_there_is_room(small_disk):
    assert ended(start("prior", small_disk, events=[]))[0] == 0
    ballast = fill(small_disk)
    code, _, err = ended(start("ablate", small_disk))
    assert (code, err.splitlines()[-1].startswith("error: the disk is full (")) == (1, True), err
    assert "the other cells are done" not in err
    ballast.unlink()
    code, out, err = ended(start("ablate", small_disk))
    assert code == 0, err
    # two arms and the predictor alone
    assert [cell["status"] for cell in json.loads(out)["cells"]] == ["finished"] * 3
