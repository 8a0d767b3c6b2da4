"""Trials whose worker was killed are run again, and fail when their workers keep dying."""

import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from types import SimpleNamespace

from texprior.sweeps import dead_workers
from texprior.sweeps.ask_tell import run_trials

PLUGIN = Path(__file__).parents[1] / "fake_components.py"
CURVE = {"sampling.texture_strength": {"low": 0, "high": 2}, "sampling.steps": {"low": 1, "high": 20}}


def dying_worker(storage) -> str:
    """Returns a script: a worker that is killed in its first trial."""
    return textwrap.dedent(f"""
    import os, signal
    from texprior.config import resolve
    from texprior.registry import Registry
    from texprior.sweeps.ask_tell import run_trials
    from texprior.sweeps.records import SweepSetup
    registry = Registry()
    registry.register({str(PLUGIN)!r})
    experiment = resolve({{"name": "study", "sweep": {{"space": {CURVE!r}, "metric": "score"}}}}, registry)
    better = {{"score": "lower"}}
    setup = SweepSetup(experiment=experiment, registry=registry, storage={storage!r}, objectives=better)
    run_trials(setup, lambda *_: os.kill(os.getpid(), {int(signal.SIGKILL)}), print)
    """)


def test_a_killed_sweeps_trial_is_run_again(registry, storage, made, swept):
    killed = subprocess.run([sys.executable, "-c", dying_worker(storage)], capture_output=True, timeout=120)
    assert (killed.returncode, killed.stdout, killed.stderr) == (-signal.SIGKILL, b"", b"")
    result, told = swept(made(registry, CURVE), registry, storage, 2)
    assert [t.state for t in result.trials] == ["interrupted", "finished", "finished"]
    assert told[0].params == result.trials[0].params == {"sampling.texture_strength": 1.0, "sampling.steps": 4}


def test_a_heartbeat_goes_on_after_one_that_failed(monkeypatch):
    monkeypatch.setattr(dead_workers, "HEARTBEAT_S", 0.01)
    beats = []

    class Storage:
        def get_heartbeat_interval(self):
            return 20

        def record_heartbeat(self, trial_id):
            beats.append(trial_id)
            if len(beats) == 3:
                raise OSError("the database is away")

    with dead_workers.send_heartbeats(SimpleNamespace(_storage=Storage()), SimpleNamespace(_trial_id=7, number=7)):
        end = time.monotonic() + 20
        while len(beats) < 6 and time.monotonic() < end:
            time.sleep(0.01)
    assert len(beats) >= 6


def test_a_trial_whose_workers_keep_dying_has_failed(registry, storage, made, distance, setup):
    """Run once, and once again; then it counts, with the reason, and the sweep goes on."""
    for _ in range(2):
        subprocess.run([sys.executable, "-c", dying_worker(storage)], capture_output=True, timeout=120, check=False)
    told, died = [], []
    result = run_trials(setup(made(registry, CURVE), registry, storage, 2), distance, told.append, on_dead=died.append)
    assert [t.state for t in result.trials] == ["interrupted", "failed", "finished"]
    assert died == [result.trials[1]]
    assert re.fullmatch(r"its worker died, as 2 in all did: process \d+ on .+", result.trials[1].reason)
    assert result.trials[0].params == result.trials[1].params != told[0].params
