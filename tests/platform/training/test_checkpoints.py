"""Checkpoints in the background: what is stored is one moment, one file is written at a time, and errors are told."""

import threading

import pytest
import torch
from torch import nn

from texprior.config import Budget, Training
from texprior.diffusion.keys import normal
from texprior.errors import TexpriorError
from texprior.registry import Registry
from texprior.store import load_tensors
from texprior.training import trainee as trainees
from texprior.training.checkpoints import CheckpointWriter
from texprior.training.loop import Finished, Saved, Step, train_steps
from texprior.training.recipe import build_recipe
from texprior.training.trainee import Trainee

RECIPE = build_recipe(Training(budget=Budget(images=80)), Registry.discover(), torch.device("cpu"))


class Tied(nn.Module):
    """A network with one weight under two names."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 3, 3, padding=1)
        self.second = nn.Conv2d(3, 3, 3, padding=1)
        self.second.weight = self.first.weight

    def forward(self, x):
        return self.second(self.first(x))


def trainee(images=80) -> Trainee:
    torch.manual_seed(0)
    chosen = Training(budget=Budget(images=images), batch=8, lr=1e-2, warmup_images=0, checkpoint_every_s=1e-9)
    return Trainee(Tied().to(memory_format=torch.channels_last), chosen, RECIPE)


def loss_of(t: Trainee):
    def loss(numbers):
        x = torch.stack([normal((3, 8, 8), "x", n) for n in numbers])
        return (t.network(x) - x / 2).square().mean(dim=(1, 2, 3))

    return loss


@pytest.fixture
def slow(monkeypatch):
    """Lets a file be written only if the returned event is set, and notes how many are written at once."""
    may_go, writing, most, write = threading.Event(), [], [], trainees.save_tensors

    def patient(*given):
        writing.append(1)
        most.append(len(writing))
        assert may_go.wait(20)
        write(*given)
        writing.pop()

    monkeypatch.setattr(trainees, "save_tensors", patient)
    may_go.most = most
    return may_go


def test_steps_go_on_while_a_file_is_written_and_it_holds_its_own_moment(tmp_path, slow):
    t, path = trainee(), tmp_path / "c.safetensors"
    events = train_steps(t, loss_of(t), path, {})
    first = next(events)
    then = {name: value.clone() for name, value in t.network.state_dict().items()}
    steps = [first, *(next(events) for _ in range(5))]
    assert all(isinstance(step, Step) for step in steps)
    assert not path.exists()
    slow.set()
    saved = next(e for e in events if isinstance(e, Saved))
    assert saved.images_seen == first.images_seen
    assert [e for e in events if isinstance(e, Finished)]
    assert max(slow.most) == 1
    # the last file is that of the end; the first one was written from a copy
    assert load_tensors(path)[1]["images_seen"] == 80
    assert not torch.equal(then["first.weight"], t.network.first.weight)


def test_a_copy_is_what_is_saved_at_once(tmp_path):
    t = trainee()
    next(e for e in train_steps(t, loss_of(t), tmp_path / "c.safetensors", {}))
    t.save(tmp_path / "now.safetensors", {"stage": "prior"})
    copied = t.copied({"stage": "prior"})
    with torch.no_grad():
        for parameter in t.network.parameters():
            parameter.zero_()
    t.images_seen = 0
    assert copied.write(tmp_path / "copy.safetensors").images_seen == 8
    assert (tmp_path / "copy.safetensors").read_bytes() == (tmp_path / "now.safetensors").read_bytes()


def test_a_file_that_cannot_be_written_stops_the_training_with_a_sentence(tmp_path):
    t, blocked = trainee(8 * 10**5), tmp_path / "file"
    blocked.write_text("a file where a folder should be")
    with pytest.raises(TexpriorError, match="cannot be written"):
        list(train_steps(t, loss_of(t), blocked / "c.safetensors", {}))
    assert t.images_seen < 8 * 10**4


def test_a_loop_that_is_left_waits_for_its_file(tmp_path, slow):
    t, path = trainee(), tmp_path / "c.safetensors"
    events = train_steps(t, loss_of(t), path, {})
    next(events), next(events)
    threading.Timer(0.1, slow.set).start()
    events.close()
    assert load_tensors(path)[1]["images_seen"] == 8
    assert not any(thread.name.startswith("checkpoint") for thread in threading.enumerate())


def test_the_end_waits_for_a_file_and_writes_the_last_one(tmp_path, slow):
    t, path = trainee(), tmp_path / "c.safetensors"
    with CheckpointWriter(t, path, {}) as writer:
        writer.begin_if_due()
        t.images_seen = 16
        writer.begin_if_due()
        assert not list(writer.written())
        slow.set()
        assert [saved.images_seen for saved in writer.finish()] == [0, 16]
    assert load_tensors(path)[1]["images_seen"] == 16
