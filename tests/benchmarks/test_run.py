"""The benchmarks themselves, in their small forms: that they run, not what they measure."""

import csv
import json
import math
import os
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

GROUPS = {
    *("sampling", "steps", "epoch", "adapters", "restored", "derived"),
    *("decompositions", "degradations", "commands", "pictures", "kept"),
}
COUNTED = ("calls", "imports")


def python(repository, *arguments):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def rows(repository, tmp_path_factory):
    """The rows of a quick run, as its history has them."""
    if not sys.platform.startswith("linux"):
        pytest.skip("the memory of a process is read from /proc")
    file = tmp_path_factory.mktemp("benchmarks") / "history.csv"
    done = python(repository, "benchmarks/run.py", "--quick", "--csv", file)
    assert done.returncode == 0, done.stderr
    with file.open(encoding="utf-8", newline="") as lines:
        found = list(csv.DictReader(lines))
    assert done.stdout.count("\n| ") == len(found), "the table and the history differ"
    return found


def test_every_group_gives_finite_ratios(rows):
    assert {row["group"] for row in rows} == GROUPS
    assert [row["what"] for row in rows if not (math.isfinite(float(row["ratio"])) and float(row["ratio"]) > 0)] == []


def test_every_row_says_on_what_it_was_measured(rows):
    for row in rows:
        assert all(row[name] for name in ("date", "cpu", "cores", "threads", "size"))
        assert "torch=" in row["versions"]


def test_what_runs_once_a_picture_does(rows):
    """Numbers of calls do not depend on the machine, so that they are held here; times are not."""
    counted = [row for row in rows if row["unit"] in COUNTED]
    assert {row["group"] for row in counted} == {"restored", "derived", "commands"}
    assert [row["what"] for row in counted if row["held"] != "held"] == []


def test_every_adapter_decomposition_and_degradation_is_measured(rows):
    from texprior.registry import Registry

    said, registry = " ".join(row["what"] for row in rows), Registry.discover()
    for kind in ("adapter", "decomposition", "degradation"):
        names = [entry.component.name for entry in registry.entries(kind)]
        assert [n for n in names if f"{kind} {n}" not in said] == ([] if kind != "adapter" else ["frozen"])


def test_ratios_are_logged_as_a_run_of_the_own_tracker(repository, tmp_path, monkeypatch):
    monkeypatch.setenv("TEXPRIOR_RUNS", str(tmp_path))
    done = python(repository, "benchmarks/run.py", "--quick", "--only", "derived", "--log")
    assert done.returncode == 0, done.stderr
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as store:
        metrics = dict(store.execute("select key, value from metrics"))
        tags = dict(store.execute("select key, value from tags"))
    assert len(metrics) == 2
    assert set(metrics.values()) == {1.0}
    assert all(key.startswith("derived/") for key in metrics)
    assert tags["benchmark.size"] == "quick"


def test_a_group_that_is_not_there_is_refused_with_the_names(repository):
    done = python(repository, "benchmarks/run.py", "--only", "speed")
    assert done.returncode == 2
    assert "sampling" in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="a script of bash")
def test_the_script_for_a_gpu_works_in_its_small_form(repository, tmp_path):
    environment = {**os.environ, "PYTHON": sys.executable, "OUT": str(tmp_path), "OMP_NUM_THREADS": "1"}
    environment["TEXPRIOR_TEST_FLOOR"] = "6000"  # of the run that this test is part of, not of the script's few tests
    command = ["bash", "benchmarks/gpu.sh", "--cpu-small"]
    done = subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    files = sorted(p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if p.is_file())
    weights = ["adapter.safetensors", "config.yaml", "predictor.safetensors"]
    prior = ["prior/config.yaml", "prior/prior.safetensors"]
    assert files == [*(f"model/{name}" for name in weights), *prior, "rates.json", "tests.log"]
    found = json.loads((tmp_path / "rates.json").read_text(encoding="utf-8"))
    for stage in ("prior", "predictor", "adapter"):
        assert found[f"{stage}, float32"]["patches_per_s"] > 0
        assert 0 <= found[f"{stage}, float32"]["data_wait"] < 1
    assert {"degraded", "predictor", "restored 4 calls"} <= found["restored"].keys()


@pytest.mark.skipif(sys.platform == "win32", reason="a script of bash")
def test_without_a_gpu_the_script_says_so(repository, tmp_path):
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "benchmarks/gpu.py", str(tmp_path)]
    done = subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "benchmarks/gpu.py: torch sees no NVIDIA GPU; use --cpu-small to see whether the script works\n"
    )
