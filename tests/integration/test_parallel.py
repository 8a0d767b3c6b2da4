"""Two processes under torchrun train what one process trains: the same images, the same weights within rounding."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from texprior.store import load_tensors

EXPERIMENT = {
    "name": "team",
    "threads": 1,
    "device": "cpu",
    "data": {**{name: {"bundled": {"max_side": 96}} for name in ("train", "val", "test")}, "variants": 1},
    "encoder": "none",
    "denoiser": {"unet": {"width": 8, "blocks": 1}},
    "predictor": {"unet": {"width": 8, "levels": 1, "blocks": 1}},
    "adapter": {"cga": {"width": 8}},
    "training": {
        stage: {"budget": {"images": 64}, "batch": 8, "microbatch": 4, "patch": 32, "warmup_images": 80}
        for stage in ("prior", "predictor", "adapter")
    },
    "events": [],
}


def run(folder: Path, processes: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    launcher = (
        ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)] if processes > 1 else []
    )
    environment = {**os.environ, "TEXPRIOR_RUNS": str(folder / f"runs-{processes}"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *launcher, "-m", "texprior", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("team")
    (folder / "experiment.yaml").write_text(yaml.safe_dump(EXPERIMENT))
    return folder


@pytest.fixture(scope="module")
def trained(folder):
    """Stage -> weights by number of processes."""
    found = {}
    for processes in (1, 2):
        for command in ("prior", "adapt"):
            done = run(folder, processes, command, str(folder / "experiment.yaml"))
            assert done.returncode == 0, done.stderr
            assert done.stdout.count("prior: ") <= 1
        for stage, weights in (("prior", "prior"), ("predictor", "predictor"), ("model", "adapter")):
            (path,) = (folder / f"runs-{processes}" / "team").glob(f"{stage}-*/{weights}.safetensors")
            found[processes, stage] = (path, *load_tensors(path))
    return found


@pytest.mark.parametrize("stage", ["prior", "predictor", "model"])
def test_two_processes_train_what_one_does(trained, stage):
    """Sums in another order differ by rounding, which Adam's steps of 1e-3 amplify to no more than 2e-5."""
    (one_path, one, about), (two_path, two, about_two) = trained[1, stage], trained[2, stage]
    if stage != "model":  # a model's folder is named by its prior's hash too
        assert one_path.parent.name == two_path.parent.name
    assert about["images_seen"] == about_two["images_seen"] == 64
    moved = max(float(t.abs().max()) for t in one.values())
    assert moved > 0.01
    assert max(float((one[name] - two[name]).abs().max()) for name in one) < 2e-5


def test_other_commands_refuse_several_processes(folder):
    done = run(folder, 2, "sweep", str(folder / "experiment.yaml"))
    assert done.returncode != 0
    assert "only 'prior', 'adapt' and 'evaluate' can share their work among them; start this command" in done.stderr
