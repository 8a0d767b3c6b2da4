"""Workers of a real sweep: processes on SQLite and PostgreSQL, one of them killed; Ray tasks, a node killed."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest
import yaml
from mlflow import MlflowClient

EXPERIMENT = {
    "name": "crew",
    "threads": 1,
    "device": "cpu",
    "data": {**{name: {"bundled": {"max_side": 96}} for name in ("train", "val", "test")}, "variants": 1},
    "encoder": "none",
    "denoiser": {"unet": {"width": 8, "levels": 2, "blocks": 1, "heads": 1}},
    "predictor": {"unet": {"width": 8, "levels": 1, "blocks": 1}},
    "training": {
        stage: {"budget": {"images": images}, "batch": 8, "patch": 32, "checkpoint_every_s": 0.2}
        for stage, images in (("prior", 16), ("predictor", 16), ("adapter", 320))
    },
    "sampling": {"steps": 1},
    "metrics": ["psnr"],
    "evaluation": {"limit": 1},
    "events": ["mlflow"],
    "sweep": {"space": {"adapter": ["cga", "sft"]}, "metric": "psnr_rgb", "trials": 8, "confirm": {"top": 0}},
}
ENDED = ("finished", "pruned", "failed")


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "TEXPRIOR_RUNS": str(folder / "runs"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "texprior", "sweep", str(folder / "experiment.yaml"), *arguments, "--json"]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def running(storage: str, n: int, within_s: float = 300) -> list[optuna.trial.FrozenTrial]:
    """The running trials of the one study, once there are n whose worker is known."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        time.sleep(0.2)
        try:
            names = optuna.get_all_study_names(storage)
            trials = optuna.load_study(study_name=names[0], storage=storage).get_trials() if names else []
        except Exception:  # the tables are being made
            continue
        busy = [t for t in trials if t.state == optuna.trial.TrialState.RUNNING and "worker" in t.user_attrs]
        if len(busy) >= n:
            return busy
    raise AssertionError(f"there were never {n} running trials")


def kill_one_and_check(folder: Path, storage: str, *more: str) -> None:
    """Every trial ends once; the killed worker's configuration is run again, once."""
    (folder / "experiment.yaml").write_text(yaml.safe_dump(EXPERIMENT))
    sweep = start(folder, "--workers", "2", "--storage", storage, *more)
    victim = running(storage, 2)[0]
    os.kill(victim.user_attrs["worker"]["pid"], signal.SIGKILL)
    out, err = sweep.communicate(timeout=420)
    assert sweep.returncode == 0, err
    assert "Warning" not in err
    trials = {t["number"]: t for t in json.loads(out)["trials"]}
    assert trials[victim.number]["state"] == "interrupted"
    study = optuna.load_study(study_name=json.loads(out)["study"], storage=storage)
    again = [t for t in study.get_trials() if t.user_attrs.get("retry_of") == victim.number]
    assert [t.params for t in again] == [victim.params]
    assert trials[again[0].number]["state"] in ("finished", "duplicate")
    ended = [t for t in trials.values() if t["state"] in ENDED]
    assert len(ended) == 8
    assert len({json.dumps(t["params"], sort_keys=True) for t in ended}) == len(ended)
    assert not [t for t in study.get_trials() if not t.state.is_finished()]
    runs = MlflowClient(f"sqlite:///{folder}/runs/mlflow.db").search_runs(["1"], max_results=1000)
    assert {run.info.status for run in runs} <= {"FINISHED", "FAILED", "KILLED"}
    (dead,) = [run for run in runs if run.data.tags["texprior.run_id"].endswith(f"-{victim.number}")]
    assert dead.data.tags["mlflow.note.content"] == "its worker died; its configuration is run again"
    (parent,) = [run for run in runs if run.data.tags["texprior.stage"] == "sweep"]
    assert dead.data.tags["mlflow.parentRunId"] == parent.info.run_id


def test_a_killed_worker_on_sqlite(tmp_path):
    storage = f"sqlite:///{tmp_path}/sweep.db"
    kill_one_and_check(tmp_path, storage)


def test_a_killed_worker_on_postgresql(tmp_path, postgres):
    kill_one_and_check(tmp_path, postgres)


NODES = """
import sys, threading, time
from pathlib import Path
import psutil
from ray.cluster_utils import Cluster
from texprior.cli import main

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
nodes = [cluster.add_node(num_cpus=1) for _ in range(3)]
cluster.wait_for_nodes()

def raylet(node):
    return node.all_processes["raylet"][0].process.pid

def kill():
    while not Path(sys.argv[1]).exists():
        time.sleep(0.2)
    busy = Path(sys.argv[1]).read_text()  # the process of a trial's worker
    node = next(n for n in nodes if raylet(n) == psutil.Process(int(busy)).parent().pid)
    cluster.remove_node(node, allow_graceful=False)
    print("killed a node", file=sys.stderr, flush=True)

threading.Thread(target=kill, daemon=True).start()
sys.exit(main(["sweep", sys.argv[2], "--launcher", "ray", "--workers", "2", "--ray-address", cluster.address,
               "--storage", sys.argv[3], "--json"]))
"""


def test_a_killed_node_of_a_ray_cluster(tmp_path):
    pytest.importorskip("ray", reason="Ray is not installed")
    storage, signal_file = f"sqlite:///{tmp_path}/sweep.db", tmp_path / "kill"
    (tmp_path / "experiment.yaml").write_text(yaml.safe_dump(EXPERIMENT))
    (tmp_path / "nodes.py").write_text(NODES)
    environment = {
        **os.environ,
        "TEXPRIOR_RUNS": str(tmp_path / "runs"),
        "OMP_NUM_THREADS": "1",
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    command = [sys.executable, tmp_path / "nodes.py", signal_file, tmp_path / "experiment.yaml", storage]
    sweep = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        victim = running(storage, 2, within_s=240)[0]
        (tmp_path / "pid").write_text(str(victim.user_attrs["worker"]["pid"]))
        (tmp_path / "pid").rename(signal_file)
        out, err = sweep.communicate(timeout=600)
    finally:
        sweep.kill()
    assert sweep.returncode == 0, err
    assert "killed a node" in err
    document = json.loads(out[out.index("{") :])
    states = [t["state"] for t in document["trials"]]
    assert states.count("finished") == 8
    assert set(states) <= {"finished", "interrupted"}
    assert states.count("interrupted") >= 1
    assert re.search(r"worker \d: trial", err)
