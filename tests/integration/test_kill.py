"""Stage I killed with SIGKILL at random moments and started again equals the run that was left alone, to the bit."""

import itertools
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import torch
import yaml

from texprior.store import load_tensors

KILLS = int(os.environ.get("TEXPRIOR_TEST_KILLS", "2"))
EXPERIMENT = {
    "name": "kill",
    "threads": 1,
    "data": {name: {"bundled": {"max_side": 96}} for name in ("train", "val", "test")},
    "encoder": "none",
    "denoiser": {"unet": {"width": 8, "blocks": 1}},
    "training": {
        "prior": {"budget": {"images": 3200}, "batch": 8, "patch": 32, "checkpoint_every_s": 0.05, "warmup_images": 80}
    },
    "events": [],
}


def start(folder: Path, runs: str) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "TEXPRIOR_RUNS": str(folder / runs), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "texprior", "prior", str(folder / "experiment.yaml")]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def weights(folder: Path, runs: str) -> dict[str, torch.Tensor]:
    (path,) = (folder / runs).glob("kill/prior-*/prior.safetensors")
    return load_tensors(path)[0]


def checkpoints(folder: Path) -> list[Path]:
    return list((folder / "killed").glob("kill/prior-*/checkpoint.safetensors"))


def test_killed_and_resumed_equals_left_alone(tmp_path):
    (tmp_path / "experiment.yaml").write_text(yaml.safe_dump(EXPERIMENT))
    assert start(tmp_path, "alone").wait() == 0
    rng, seen = random.Random(0), []
    for _ in range(KILLS):
        process = start(tmp_path, "killed")
        before = checkpoints(tmp_path)[0].stat().st_mtime_ns if checkpoints(tmp_path) else 0
        while process.poll() is None and not any(c.stat().st_mtime_ns > before for c in checkpoints(tmp_path)):
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.4))
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "it was done before it could be killed"
        seen.append(load_tensors(checkpoints(tmp_path)[0])[1]["images_seen"])
    assert start(tmp_path, "killed").wait() == 0
    assert all(a < b for a, b in itertools.pairwise(seen)), seen
    alone, killed = weights(tmp_path, "alone"), weights(tmp_path, "killed")
    assert alone.keys() == killed.keys()
    assert all(torch.equal(alone[name], killed[name]) for name in alone)
