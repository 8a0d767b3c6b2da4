"""Ray's tasks get the GPUs that a user says, each in its own process; tests/integration/test_workers.py has sweeps."""

import os
import subprocess
import sys

import pytest

from texprior.errors import ConfigError
from texprior_plugins.launcher import RayOptions
from texprior_plugins.launcher.ray import Ray

GPUS = """
import os, sys
from pathlib import Path
import ray
from texprior.errors import ConfigError
from texprior_plugins.launcher import RayOptions
from texprior_plugins.launcher.ray import Ray

# Ray takes our word for the GPUs
ray.init("local", num_cpus=2, num_gpus=2, include_dashboard=False, configure_logging=False)
folder, launcher = sys.argv[1], Ray(RayOptions())

def noting(name):
    def write():
        Path(folder, name).write_text(os.environ.get("CUDA_VISIBLE_DEVICES", ""))
        Path(folder, f"{name}.pid").write_text(str(os.getpid()))
    return write

def failing():
    raise ValueError("on purpose")

assert launcher.run({"both": noting("both")}, 1, 2) == {}
assert launcher.run({"one": noting("one")}, 1, 1) == {}
assert launcher.run({"first": noting("first")}, 1, None) == launcher.run({"second": noting("second")}, 1, None) == {}
failed = launcher.run({"worker 1": failing, "worker 2": noting("beside")}, 1, None)
assert list(failed) == ["worker 1"] and failed["worker 1"].startswith("ended: "), failed
try:
    launcher.run({"many": noting("many")}, 1, 3)
except ConfigError as error:
    print(error)
"""


def test_ray_gives_a_worker_its_gpus_and_a_process_of_its_own(tmp_path):
    pytest.importorskip("ray", reason="Ray is not installed")
    (tmp_path / "gpus.py").write_text(GPUS)
    environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, tmp_path / "gpus.py", tmp_path]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=240)
    assert done.returncode == 0, done.stderr
    assert sorted((tmp_path / "both").read_text().split(",")) == ["0", "1"]
    assert (tmp_path / "one").read_text() in ("0", "1")
    assert (tmp_path / "first.pid").read_text() != (tmp_path / "second.pid").read_text()
    assert (tmp_path / "beside").is_file()
    assert "--gpus-per-worker 3: no node of the Ray cluster has more than 2 GPUs" in done.stdout
    assert not (tmp_path / "many").exists()


def test_without_ray_the_launcher_says_what_to_install(monkeypatch):
    monkeypatch.setattr("texprior_plugins.launcher.ray.find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=r"Ray is not installed; pip install 'texprior\[ray\]'"):
        Ray(RayOptions())


@pytest.mark.parametrize(("option", "variable", "joined"), [
    (None, None, "local"), (None, "head:6379", "head:6379"), ("auto", "head:6379", "auto"),
])  # fmt: skip
def test_the_cluster_is_the_one_that_is_named_else_a_new_one(monkeypatch, option, variable, joined):
    """Without an address Ray would join what it takes for a running cluster, and wait for minutes if it has ended."""
    ray = pytest.importorskip("ray", reason="Ray is not installed")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    if variable:
        monkeypatch.setenv("RAY_ADDRESS", variable)
    asked = []

    def init(address, **_how):
        asked.append(address)
        raise ConnectionError

    monkeypatch.setattr(ray, "init", init)
    with pytest.raises(ConnectionError):
        Ray(RayOptions(address=option)).run({}, 1, None)
    assert asked == [joined]
