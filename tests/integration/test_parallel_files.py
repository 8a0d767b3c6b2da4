"""Processes of a team that see different files: what the leader finds on its disk counts for all of them."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml

from texprior.locks import hold_lock
from texprior.store import load_tensors

SETTINGS = {"batch": 8, "microbatch": 4, "patch": 32, "warmup_images": 80}
EXPERIMENT = {
    "name": "team",
    "threads": 1,
    "device": "cpu",
    "data": {**{name: {"bundled": {"max_side": 96}} for name in ("train", "val", "test")}, "variants": 1},
    "encoder": "none",
    "denoiser": {"unet": {"width": 8, "blocks": 1}},
    "training": {"prior": {**SETTINGS, "budget": {"images": 64}}},
    "events": [],
}
TRAIN = """
import os, sys
os.environ["TEXPRIOR_RUNS"] += "-" + os.environ.get("RANK", "0")
from texprior.cli import main
sys.exit(main(["prior", *sys.argv[1:]]))
"""
OTHER_SEED = """
import os, sys
sys.argv += ["--set", "seed=" + os.environ["RANK"]]
"""
STATES = """
import os, sys
from pathlib import Path
import torch
from texprior.config import Budget, Training
from texprior.diffusion.keys import normal
from texprior.runtime.team import join_team, leave_team
from texprior.store import save_tensors
from texprior.training.loop import train_steps
from texprior.registry import Registry
from texprior.training.recipe import build_recipe
from texprior.training.trainee import Trainee

folder, images, read = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
torch.manual_seed(int(os.environ.get("RANK", "0")) if read else 0)
enter, norm, leave = torch.nn.Conv2d(3, 6, 3, padding=1), torch.nn.BatchNorm2d(6).eval(), torch.nn.Conv2d(6, 3, 1)
network = torch.nn.Sequential(enter, norm, leave)
settings = Training(budget=Budget(images=images), batch=8, lr=1e-2, warmup_images=0)
trainee = Trainee(network, settings, build_recipe(settings, Registry.discover(), torch.device("cpu")))
team = join_team(torch.device("cpu"))
if read and team.leads:
    trainee.load(Path(read))
trainee.follow(team)

def loss(numbers):
    x = torch.stack([normal((3, 8, 8), "x", n) for n in numbers])
    return (network(x) - x / 2).square().mean(dim=(1, 2, 3))

own = folder / f"{team.rank}-of-{team.size}.safetensors"
for event in train_steps(trainee, loss, own, {}, team):
    pass
trainee.save(own, {})
leave_team()
"""


def start(program: str, processes: int, folder: Path, *arguments: object) -> subprocess.Popen[str]:
    """Starts a program, in several processes if wanted."""
    script = folder / "program.py"
    script.write_text(program)
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    environment = {**os.environ, "TEXPRIOR_RUNS": str(folder / "runs"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *(launcher if processes > 1 else []), str(script), *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> str:
    out, errors = process.communicate(timeout=240)
    assert process.returncode == 0, errors
    return out + errors


@pytest.fixture
def experiment(tmp_path):
    path = tmp_path / "experiment.yaml"
    path.write_text(yaml.safe_dump(EXPERIMENT))
    return path


def prior_of(folder: Path, rank: int) -> Path:
    (found,) = (folder / f"runs-{rank}" / "team").glob("prior-*-64/prior.safetensors")
    return found


def test_a_checkpoint_that_only_the_leader_has_is_continued_by_all(tmp_path):
    """Every process ends with the leader's weights, averages and Adam state, those of one process within rounding."""
    finish(start(STATES, 1, tmp_path, tmp_path, 40, ""))
    checkpoint = (tmp_path / "0-of-1.safetensors").rename(tmp_path / "read.safetensors")
    finish(start(STATES, 1, tmp_path, tmp_path, 80, ""))
    finish(start(STATES, 2, tmp_path, tmp_path, 80, checkpoint))
    (leader, about), (other, about_other) = (load_tensors(tmp_path / f"{r}-of-2.safetensors") for r in (0, 1))
    whole, about_whole = load_tensors(tmp_path / "0-of-1.safetensors")
    assert leader.keys() == other.keys() == whole.keys()
    assert all(torch.equal(leader[name], other[name]) for name in leader)
    assert max(float((leader[name] - whole[name]).abs().max()) for name in whole) < 2e-5
    assert about["images_seen"] == about_other["images_seen"] == about_whole["images_seen"] == 80


def test_a_training_that_only_the_leader_began_is_continued(tmp_path, experiment):
    finish(start(TRAIN, 1, tmp_path, experiment, "--set", "training.prior.budget.images=32"))
    said = finish(start(TRAIN, 2, tmp_path, experiment))
    assert said.count("at 32 images") == 1
    resumed = load_tensors(prior_of(tmp_path, 0))[0]
    shutil.rmtree(tmp_path / "runs-0")
    finish(start(TRAIN, 1, tmp_path, experiment))
    whole = load_tensors(prior_of(tmp_path, 0))[0]
    assert max(float((resumed[name] - whole[name]).abs().max()) for name in whole) < 2e-5


def test_processes_that_would_train_different_things_are_refused(tmp_path, experiment):
    team = start(OTHER_SEED + TRAIN, 2, tmp_path, experiment)
    _, errors = team.communicate(timeout=240)
    assert team.returncode != 0
    assert "prior: the training differs between the processes that torchrun started; give all machines" in errors
    assert not list(tmp_path.glob("runs-*/team/*/*.safetensors"))


def test_a_folder_that_another_process_finishes_meanwhile_is_found_by_all(tmp_path, experiment):
    """The leader waits for the folder's lock, the other process with it; then both leave without a step."""
    finish(start(TRAIN, 1, tmp_path, experiment))
    done = prior_of(tmp_path, 0).parent
    elsewhere = done.rename(tmp_path / "done")
    with hold_lock(tmp_path / "runs-0" / ".locks" / f"{done.name}.lock"):
        team = start(TRAIN, 2, tmp_path, experiment)
        assert team.stderr is not None
        said = []
        while "waiting for it" not in (line := team.stderr.readline()):
            assert line, said
            said.append(line)
        # longer than a process that does not wait would need to begin its training
        time.sleep(5)
        elsewhere.rename(done)
    assert f"prior: {done} is trained already" in finish(team)
    assert not (tmp_path / "runs-1").exists()
