"""Two processes that train a network and a discriminator: both end alike, and like one process within rounding."""

import os
import subprocess
import sys

import pytest
import torch

from texprior.store import load_tensors

PROGRAM = """
import os, sys
from pathlib import Path
import torch
from texprior.config import Budget, Training
from texprior.diffusion.keys import normal
from texprior.flow.objective import Learned, objective_loss
from texprior.plugin import Ref
from texprior.registry import Registry
from texprior.runtime.team import join_team, leave_team
from texprior.training.loop import train_steps
from texprior.training.recipe import Recipe
from texprior.training.trainee import Trainee

# A second argument is a checkpoint that the leader continues; the other process then begins with other weights. Without
# one, the training stops at 40 images, where it leaves such a checkpoint, and goes on.
path, read = Path(sys.argv[1]), sys.argv[2]
rank = int(os.environ.get("RANK", "0"))
registry = Registry.discover()
build = lambda kind, name, **options: registry.build(kind, Ref(name=name, options=options), seed=rank if read else 0)
small = {"adversarial": {"width": 4, "layers": 2, "max_sigma": 1}}
objective = build("objective", "combined", terms=["l1", small], weights=[1, 0.1])
recipe = Recipe(build("optimizer", "adamw"), build("lr_decay", "constant"), objective=objective)
torch.manual_seed(rank if read else 0)
network = torch.nn.Sequential(torch.nn.Conv2d(3, 6, 3, padding=1), torch.nn.GELU(), torch.nn.Conv2d(6, 3, 1))
team = join_team(torch.device("cpu"))

def loss(numbers):
    x = torch.stack([normal((3, 16, 16), "x", n) for n in numbers])
    # every other sample is below the level of the discriminator; with two processes, those of the first one
    sigma = torch.tensor([0.1 if n % 2 == 0 else 2.0 for n in numbers])
    return objective_loss(objective, Learned(network(x), x / 2, torch.zeros_like(x), sigma=sigma))

own = Path(f"{path}-{team.rank}-of-{team.size}.safetensors")
for images in (80,) if read else (40, 80):
    settings = Training(budget=Budget(images=images), batch=8, lr=1e-2, warmup_images=0)
    trainee = Trainee(network, settings, recipe)
    if (read and team.leads) or images > 40 and not read:
        trainee.load(Path(read or own))
    trainee.follow(team)
    for event in train_steps(trainee, loss, own, {}, team):
        pass
    trainee.save(own, {})
    if images == 40:
        trainee.save(own.with_name("half.safetensors"), {})
leave_team()
"""


@pytest.fixture
def train(tmp_path):
    """train(processes, read) -> the checkpoints of all processes after 80 images."""
    script = tmp_path / "program.py"
    script.write_text(PROGRAM, encoding="utf-8")

    def start(processes, read=""):
        launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
        command = [sys.executable, *(launcher if processes > 1 else []), str(script), str(tmp_path / "c"), str(read)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stderr
        return [load_tensors(tmp_path / f"c-{rank}-of-{processes}.safetensors")[0] for rank in range(processes)]

    return start


def test_they_end_with_the_same_network_and_the_same_discriminator(train, tmp_path):
    (alone,) = train(1)
    leader, other = train(2, tmp_path / "half.safetensors")
    assert any(name.startswith("objective/") for name in leader)
    assert leader.keys() == other.keys() == alone.keys()
    assert [name for name in leader if not torch.equal(leader[name], other[name])] == []
    assert max(float((leader[name] - alone[name]).abs().max()) for name in alone) < 1e-5
