"""Processes that prepare photographs change no weight, and none of them stays, however the training ends."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

from texprior.store import load_tensors

EXPERIMENT = {
    "name": "ahead",
    "threads": 1,
    "device": "cpu",
    "data": {**{name: {"bundled": {"max_side": 96}} for name in ("train", "val", "test")}, "patches_per_photograph": 2},
    "encoder": "none",
    "denoiser": {"unet": {"width": 8, "blocks": 1}},
    "predictor": {"unet": {"width": 8, "levels": 1, "blocks": 1}},
    "adapter": {"cga": {"width": 8}},
    "training": {
        stage: {"budget": {"images": 24}, "batch": 8, "microbatch": 4, "patch": 32}
        for stage in ("prior", "predictor", "adapter")
    },
    "events": [],
}


def command(folder: Path, name: str, workers: int, *settings: str) -> subprocess.Popen[str]:
    (folder / "experiment.yaml").write_text(yaml.safe_dump(EXPERIMENT))
    environment = {**os.environ, "TEXPRIOR_RUNS": str(folder / f"runs-{workers}"), "OMP_NUM_THREADS": "1"}
    given = [f"data.workers={workers}", *settings]
    words = [sys.executable, "-m", "texprior", name, "experiment.yaml", *(w for each in given for w in ("--set", each))]
    # a shell starts what is in its background with SIGINT ignored, and pytest may be
    how = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL), "env": environment, "text": True}
    return subprocess.Popen(words, cwd=folder, stderr=subprocess.PIPE, **how)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """(workers, stage) -> weights and what is said about them."""
    folder, found = tmp_path_factory.mktemp("ahead"), {}
    for workers in (0, 1):
        for name in ("prior", "adapt"):
            process = command(folder, name, workers)
            _, errors = process.communicate(timeout=300)
            assert process.returncode == 0, errors
            assert "Traceback" not in errors
        for stage, weights in (("prior", "prior"), ("predictor", "predictor"), ("model", "adapter")):
            (path,) = (folder / f"runs-{workers}" / "ahead").glob(f"{stage}-*/{weights}.safetensors")
            found[workers, stage] = path.parent.name, *load_tensors(path)
    return found


@pytest.mark.parametrize("stage", ["prior", "predictor", "model"])
def test_every_stage_has_the_same_weights_to_the_bit(trained, stage):
    (folder, plain, about), (folder_ahead, ahead, about_ahead) = trained[0, stage], trained[1, stage]
    assert (folder, about) == (folder_ahead, about_ahead)
    assert all((ahead[name] == tensor).all() for name, tensor in plain.items())


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_no_process_is_left_behind(tmp_path, number, code):
    """A terminal sends Ctrl-C to the workers too; a kill reaches the training alone."""
    process = command(tmp_path, "prior", 2, "training.prior.budget.images=1000000", "data.cache_mb=16")
    workers = _workers(process)
    for each in [process.pid, *(w.pid for w in workers)] if number == signal.SIGINT else [process.pid]:
        os.kill(each, number)
    try:
        _, errors = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, "Traceback" in errors) == (code, False), errors
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert alive == []


def _workers(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Waits until both workers run, and the training too."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        children = psutil.Process(process.pid).children()
        workers = [c for c in children if "spawn_main" in " ".join(c.cmdline())]
        if len(workers) == 2:
            time.sleep(2)
            return workers
        time.sleep(0.1)
    raise AssertionError("the workers did not start")
