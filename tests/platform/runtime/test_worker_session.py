"""A worker starts from text that can be sent anywhere, with its share of threads and cache."""

import os
import pickle
import re
from pathlib import Path

import pytest
import torch

from texprior import config
from texprior.errors import ConfigError
from texprior.flow import precision
from texprior.flow.precision import CHOICE, gains_from_bfloat16
from texprior.registry import Registry
from texprior.runtime.session import Session
from texprior.runtime.worker_session import WorkerStart, gpus_of_worker, require_gpus

PLUGIN = """
from texprior.plugin import Degradation, hookimpl

@hookimpl
def texprior_degradations():
    return [Degradation("half", "half_plugin:Half")]

class Half:
    def __init__(self, options): pass
    def __call__(self, image, rng): return image / 2
"""


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_a_worker_has_the_experiment_the_plugins_the_runs_and_its_share(tmp_path, monkeypatch, capsys, threads):
    monkeypatch.setenv("TEXPRIOR_RUNS", str(tmp_path / "other"))
    file = tmp_path / "half_plugin.py"
    file.write_text(PLUGIN)
    registry = Registry.discover([file])
    experiment = config.resolve({"name": "x", "events": [], "degradation": "half", "seed": 3}, registry)
    said = config.Said(frozenset({"seed"}))
    parent = Session(experiment, registry, root=tmp_path / "runs", parent_run="above", said=said, labels={"paper": "1"})
    start = pickle.loads(pickle.dumps(WorkerStart.of(parent, "worker 2", threads=1, cache_mb=32)))
    session = start.session()
    assert (session.experiment.seed, session.experiment.degradation.name) == (3, "half")
    assert (session.experiment.threads, torch.get_num_threads(), session.experiment.data.cache_mb) == (1, 1, 32)
    assert (session.root, session.parent_run, session.labels) == (tmp_path / "runs", "above", {"paper": "1"})
    assert [Path(name) for name in session.registry.files] == [file]
    assert session.said == said
    session.say("hello")
    assert capsys.readouterr().err == "worker 2: hello\n"


@pytest.mark.parametrize("gains", [True, False])
def test_a_worker_computes_in_the_precision_of_its_parent(tmp_path, monkeypatch, threads, gains):
    """Its own trial could end on the other side of the limit, and a result would mix two precisions."""
    monkeypatch.setenv("TEXPRIOR_RUNS", str(tmp_path))
    monkeypatch.setenv(CHOICE, "yes" if gains else "no")
    registry = Registry.discover()
    experiment = config.resolve({"name": "x", "events": []}, registry)
    start = WorkerStart.of(Session(experiment, registry, root=tmp_path), "worker 1")
    for begin in (start.session, start.bare_session):
        monkeypatch.setenv(CHOICE, "")
        monkeypatch.setattr(precision, "_trial", lambda: 1.0 if gains else 0.1)
        assert gains_from_bfloat16(begin().device) == gains


def test_without_a_share_the_experiment_decides(tmp_path, monkeypatch, threads):
    monkeypatch.setenv("TEXPRIOR_RUNS", str(tmp_path))
    registry = Registry.discover()
    experiment = config.resolve({"name": "x", "events": [], "data": {"cache_mb": 77}}, registry)
    session = WorkerStart.of(Session(experiment, registry, root=tmp_path), "worker 1").session()
    assert (session.experiment.threads, session.experiment.data.cache_mb) == (None, 77)


@pytest.mark.parametrize(
    ("named", "each", "gpus"),
    [
        (None, None, ["0", "1", "0"]),
        ("3,5", None, ["3", "5", "3"]),
        ("", None, [None] * 3),
        ("3,5,7,GPU-9", 2, ["3,5", "7,GPU-9", "3,5"]),
        ("3,5,7", 2, ["3,5", "7,3", "5,7"]),
        ("3,5", 0.5, ["3", "3", "5", "5", "3"]),
        ("3,5", 0, ["", ""]),
    ],
)
def test_workers_take_the_visible_gpus_in_turn(monkeypatch, named, each, gpus):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if named is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    assert [gpus_of_worker(n, each) for n in range(len(gpus))] == gpus


@pytest.mark.parametrize(
    ("device", "each", "sentence"),
    [
        ("auto", 3, "--gpus-per-worker 3: this process sees 2 GPUs, too few for one worker"),
        ("cuda", 1.5, "--gpus-per-worker 1.5: above 1 it must be a whole number"),
        ("cpu", 1, "--gpus-per-worker 1: the experiment's device is 'cpu'; only auto and cuda take a worker's GPUs"),
        ("cuda:1", 1, "the experiment's device is 'cuda:1'"),
    ],
)
def test_gpus_that_a_worker_cannot_have_or_use_are_refused(monkeypatch, device, each, sentence):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    with pytest.raises(ConfigError, match=re.escape(sentence)):
        require_gpus(device, each)
    for possible in (None, 0, 0.5, 2):
        require_gpus("auto", possible)
    require_gpus("auto", 3, here=False)


@pytest.mark.parametrize(("device", "seen"), [("auto", "1"), ("cpu", "0,1")])
def test_a_worker_sees_its_own_gpu_only(tmp_path, monkeypatch, threads, device, seen):
    monkeypatch.setenv("TEXPRIOR_RUNS", str(tmp_path))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    registry = Registry.discover([])
    experiment = config.resolve({"name": "x", "events": [], "device": device}, registry)
    WorkerStart.of(Session(experiment, registry, root=tmp_path), "worker 2", threads=1, gpu="1").session()
    assert os.environ["CUDA_VISIBLE_DEVICES"] == seen
