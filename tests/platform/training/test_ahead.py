"""Photographs that worker processes prepare: the same to the bit, errors that are named, and no process left."""

import multiprocessing
import os
import signal
import time
import types
from pathlib import Path

import pytest
import torch

from texprior import config
from texprior.errors import ImageError, TexpriorError
from texprior.models.build import build_prior
from texprior.registry import Registry
from texprior.runtime.session import Session
from texprior.store import load_tensors
from texprior.training.ahead import Ahead, _received, _sent, worker_count
from texprior.training.data import cached_texture_pool, own_texture_pool
from texprior.training.prior import train_prior


def none_left() -> bool:
    """Whether all processes have ended, which a busy machine notices a moment later."""
    deadline = time.monotonic() + 20
    while multiprocessing.active_children() and time.monotonic() < deadline:
        time.sleep(0.05)
    return not multiprocessing.active_children()


SMALL = {"bundled": {"max_side": 96}}
RAISES = """
from texprior.plugin import Decomposition, hookimpl

@hookimpl
def texprior_decompositions():
    return [Decomposition("fails", "fails_once:Fails")]

class Fails:
    def __init__(self, options): pass
    def __call__(self, image):
        raise ValueError("no filter today")
"""


def session(root, workers, registry=None, **changes):
    registry = registry or Registry.discover()
    settings = {
        "name": "x", "events": [], "device": "cpu", "threads": 1, "encoder": "none",
        "data": {"train": SMALL, "workers": workers}, "denoiser": {"unet": {"width": 8, "blocks": 1}},
        "training": {"prior": {"budget": {"images": 32}, "batch": 8, "patch": 32}}, **changes,
    }  # fmt: skip
    return Session(config.resolve(settings, registry), registry, root=root)


def served(ahead, chosen):
    prior = build_prior(chosen.builder, 1.0, Path())
    return ahead.serve(cached_texture_pool(chosen, prior), own_texture_pool, chosen)


def test_workers_prepare_what_this_process_would(tmp_path):
    with Ahead() as ahead:
        plain = served(ahead, session(tmp_path, 0))
        expected = [plain[i] for i in range(len(plain))]
    with Ahead() as ahead:
        pool, here = served(ahead, session(tmp_path, 1)), []
        inner, ahead._here = ahead._here, lambda key: (here.append(key), inner(key))[1]
        pool.expect(range(len(pool)))
        found = [pool[i] for i in range(len(pool))]
        assert len(here) < len(pool)
        assert len(multiprocessing.active_children()) == 1
    assert none_left()
    assert pool.prepare is ahead._here
    for item, wanted in zip(found, expected, strict=True):
        assert item.keys() == wanted.keys()
        for name, tensor in wanted.items():
            assert torch.equal(item[name], tensor)
            assert item[name].stride() == tensor.stride()


def test_a_training_with_workers_has_the_same_weights_to_the_bit(tmp_path):
    weights = []
    for workers in (0, 2):
        trained = train_prior(session(tmp_path / str(workers), workers))
        weights.append(load_tensors(trained.folder / "prior.safetensors"))
        assert none_left()
    (plain, about), (ahead, of_ahead) = weights
    assert about == of_ahead
    assert all(torch.equal(ahead[name], tensor) for name, tensor in plain.items())


def test_what_is_sent_has_the_layout_and_the_shared_memory_that_it_had():
    picture = torch.rand(5, 7, 3).permute(2, 0, 1)
    found = _received(_sent({"base": picture, "estimate": picture, "part": picture[:, 1:3], "code": torch.zeros(4, 0)}))
    assert torch.equal(found["base"], picture)
    assert found["base"].stride() == picture.stride()
    assert found["base"] is found["estimate"]
    assert torch.equal(found["part"], picture[:, 1:3])
    assert found["code"].shape == (4, 0)


def test_a_component_that_raises_in_a_worker_is_named(tmp_path):
    file = tmp_path / "fails_once.py"
    file.write_text(RAISES)
    chosen = session(tmp_path, 1, Registry.discover([file]), decomposition="fails")
    with Ahead() as ahead:
        pool = served(ahead, chosen)
        pool.expect([0])
        with pytest.raises(
            TexpriorError, match=r"decomposition '.*fails' .* raised .*no filter today .at fails_once.py"
        ):
            pool[0]
    assert none_left()


def test_a_picture_that_a_worker_cannot_read_is_left_out(tmp_path):
    chosen = session(tmp_path, 1, training={"prior": {"budget": {"images": 8}, "patch": 4096}})
    with Ahead() as ahead:
        pool = served(ahead, chosen)
        pool.expect([0])
        with pytest.raises(ImageError, match="smaller than the training patch of 4096 px"):
            pool.prepare(pool.keys[0])


def test_the_training_goes_on_without_a_worker_that_was_killed(tmp_path, caplog):
    with Ahead() as ahead:
        pool = served(ahead, session(tmp_path, 1))
        pool.expect(range(len(pool)))
        pool[0]
        (worker,) = multiprocessing.active_children()
        os.kill(worker.pid, signal.SIGKILL)
        assert len([pool[i] for i in range(len(pool))]) == len(pool)
        pool.expect(range(len(pool)))
    assert caplog.text.count("a process that prepares photographs was killed") == 1
    assert none_left()


def test_an_interruption_does_not_wait_for_what_is_being_prepared(tmp_path):
    def interrupted():
        with Ahead() as ahead:
            pool = served(ahead, session(tmp_path, 2))
            pool.expect(range(len(pool)))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert none_left()


def test_a_component_of_a_module_without_a_file_is_prepared_here(tmp_path):
    module = types.ModuleType("fails_once")
    exec(RAISES, module.__dict__)
    registry, said = Registry.discover(), []
    registry.register(module)
    chosen = session(tmp_path, 2, registry, decomposition="fails").with_(say=said.append)
    assert worker_count(chosen) == 0
    assert "was registered in this process only" in said[0]


def test_a_cpu_has_no_workers_unless_they_are_asked_for(tmp_path):
    assert worker_count(session(tmp_path, None)) == 0
    assert worker_count(session(tmp_path, 3)) == 3
