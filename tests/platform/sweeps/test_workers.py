"""Workers get the GPUs that a user says; tests/integration/test_workers.py has whole sweeps of workers."""

import os
import subprocess
import sys

import pytest

GPUS = """
import os, sys
from pathlib import Path
import ray
from texprior.errors import ConfigError
from texprior.sweeps.workers import _run_ray_tasks

# Ray takes our word for the GPUs
ray.init("local", num_cpus=2, num_gpus=2, include_dashboard=False, configure_logging=False)
folder = sys.argv[1]

def noting(name):
    def write():
        Path(folder, name).write_text(os.environ.get("CUDA_VISIBLE_DEVICES", ""))
    return write

assert _run_ray_tasks({"both": noting("both")}, 1, 2, None) == {}
assert _run_ray_tasks({"one": noting("one")}, 1, 1, None) == {}
try:
    _run_ray_tasks({"many": noting("many")}, 1, 3, None)
except ConfigError as error:
    print(error)
"""


def test_ray_gives_a_worker_its_gpus(tmp_path):
    pytest.importorskip("ray", reason="Ray is not installed")
    (tmp_path / "gpus.py").write_text(GPUS)
    environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, tmp_path / "gpus.py", tmp_path]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr
    assert sorted((tmp_path / "both").read_text().split(",")) == ["0", "1"]
    assert (tmp_path / "one").read_text() in ("0", "1")
    assert "--gpus-per-worker 3: no node of the Ray cluster has more than 2 GPUs" in done.stdout
    assert not (tmp_path / "many").exists()
