"""What is said of workers that end early; tests/integration/test_workers.py has whole sweeps of workers."""

import pickle

import pytest

from texprior import config
from texprior.errors import TexpriorError
from texprior.plugin import Ref
from texprior.runtime.session import Session
from texprior.runtime.worker_session import WorkerStart
from texprior.runtime.workers import Workers
from texprior.sweeps.workers import SweepJob, run_workers

SOURCE = """
import pickle
from typing import Any
from texprior.plugin import Launcher, Options, hookimpl

class Losing:
    lost: list[str] = []
    given: dict[str, Any] = {}
    def __init__(self, options): pass
    def run(self, works, threads, gpus):
        Losing.given = {name: pickle.loads(pickle.dumps(work)) for name, work in works.items()}
        return {name: "was lost" for name in Losing.lost}

@hookimpl
def texprior_launchers():
    return [Launcher("losing", "losing_plugin:Losing", summary="Loses workers.", api=2)]
"""


@pytest.fixture
def losing(tmp_path):
    """A launcher of a plugin, the session that has it, and the job of a sweep."""
    import sys

    from texprior.registry import Registry

    (tmp_path / "losing_plugin.py").write_text(SOURCE)
    registry, said = Registry.discover([tmp_path / "losing_plugin.py"]), []
    experiment = config.resolve({"name": "x", "events": [], "threads": 3}, registry)
    session = Session(experiment, registry, root=tmp_path, say=said.append)
    start = WorkerStart.of(session, "worker", threads=3)
    job = SweepJob(
        start=start, study="s", mark="m", prior="p", predictor="q", storage="sqlite://", objectives={}, trials=4
    )
    yield sys.modules["losing_plugin"].Losing, session, said, job
    sys.modules.pop("losing_plugin")


def test_a_lost_worker_is_reported_and_the_others_count(losing):
    launcher, session, said, job = losing
    launcher.lost = ["worker 2"]
    run_workers(job, session, Workers(3, Ref(name="losing")), most=3)
    assert said == ["worker 2 was lost; another worker will redo its trial"]
    works = {name: work.args[0] for name, work in launcher.given.items()}
    assert [(name, work.number, work.start.name) for name, work in works.items()] == [
        (f"worker {n + 1}", n, f"worker {n + 1}") for n in range(3)
    ]


def test_a_launcher_elsewhere_is_used_for_one_worker_too_and_no_more_than_there_is_work(losing):
    launcher, session, _, job = losing
    launcher.lost = []
    run_workers(job, session, Workers(1, Ref(name="losing")), most=5)
    assert list(launcher.given) == ["worker 1"]
    run_workers(job, session, Workers(5, Ref(name="losing")), most=2)
    assert list(launcher.given) == ["worker 1", "worker 2"]
    assert pickle.loads(pickle.dumps(job)) == job


def test_a_sweep_without_any_worker_left_ends(losing):
    launcher, session, _, job = losing
    launcher.lost = ["worker 1", "worker 2"]
    with pytest.raises(TexpriorError, match=r"all 2 workers of the sweep ended early \(was lost; was lost\)"):
        run_workers(job, session, Workers(2, Ref(name="losing")), most=2)
