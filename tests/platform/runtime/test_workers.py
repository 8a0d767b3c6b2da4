"""Who works, with which threads and GPUs: by what a launcher declares, never by its name."""

import re

import pytest
import torch

from texprior import config
from texprior.errors import ConfigError, PluginError
from texprior.plugin import Ref
from texprior.registry import Registry
from texprior.runtime.session import Session
from texprior.runtime.workers import Share, Workers, launcher_of

SOURCE = """
from texprior.plugin import Launcher, hookimpl

class Far:
    def __init__(self, options): pass
    def run(self, works, threads, gpus): return {"somebody": 1}

@hookimpl
def texprior_launchers():
    return [Launcher(name, "far_plugin:Far", summary="Far.", api=2, local=name == "near") for name in ("far", "near")]
"""


@pytest.fixture(scope="module")
def registry(tmp_path_factory):
    import sys

    file = tmp_path_factory.mktemp("far") / "far_plugin.py"
    file.write_text(SOURCE)
    yield Registry.discover([file])
    sys.modules.pop("far_plugin")


@pytest.fixture
def session(registry, tmp_path):
    def session(**more):
        return Session(config.resolve({"name": "x", "events": [], **more}, registry), registry, root=tmp_path)

    return session


@pytest.mark.parametrize(
    ("launcher", "number", "gpus", "needed"),
    [
        ("local", 1, None, False),
        ("local", 2, None, True),
        ("local", 1, 0, True),
        ("near", 1, None, False),
        ("far", 1, None, True),
        ("ray", 1, None, True),
    ],
)
def test_this_process_works_alone_if_nothing_asks_for_another(registry, launcher, number, gpus, needed):
    assert Workers(number, Ref(name=launcher), gpus).are_needed(registry) == needed


def test_local_workers_share_threads_and_gpus_and_others_get_what_is_asked_for(session, monkeypatch):
    monkeypatch.setattr("texprior.processes.usable_cpus", lambda: 8)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    near, far = (Workers(3, Ref(name=name)) for name in ("near", "far"))
    assert near.shares(session()) == [Share(f"worker {n + 1}", 2, gpu) for n, gpu in enumerate("010")]
    assert far.shares(session()) == [Share(f"worker {n + 1}", 1, None) for n in range(3)]
    assert [share.threads for share in far.shares(session(threads=5), 2)] == [5, 5]
    assert near.shares(session(threads=5), 1) == [Share("worker 1", 5, "0")]


def test_gpus_are_counted_here_only_for_workers_that_are_here(session, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    Workers(2, Ref(name="far"), 3).require(session())
    with pytest.raises(ConfigError, match="--gpus-per-worker 3: this process sees 2 GPUs, too few for one worker"):
        Workers(2, Ref(name="near"), 3).require(session())


def test_a_launcher_that_returns_something_else_is_named(session):
    from texprior.errors import ContractError

    with pytest.raises(
        ContractError, match=re.escape("it returns 'somebody': 1; expected texts by the names worker 1")
    ):
        Workers(1, Ref(name="far")).run(session(), {"worker 1": print}, 1)


def test_a_script_names_a_launcher_as_an_experiment_names_a_component(registry):
    assert launcher_of(registry, "ray") == Ref(name="ray", options={"address": None, "retries": 3})
    assert launcher_of(registry, {"ray": {"address": "auto"}}).options["address"] == "auto"
    for wrong, sentence in (("rai", "there is no launcher 'rai'; did you mean 'ray'?"), (3, "launcher 3: expected a"),
                            ({"ray": {"adress": "x"}}, "launcher.ray.adress")):  # fmt: skip
        with pytest.raises((ConfigError, PluginError), match=re.escape(sentence)):
            launcher_of(registry, wrong)
