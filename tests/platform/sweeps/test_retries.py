"""Trials that are run again: after a death, after a kill between any two steps, on request; none is lost or doubled."""

import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from texprior.errors import ConfigError
from texprior.processes import this_process
from texprior.sweeps import retries
from texprior.sweeps.ask_tell import run_trials
from texprior.sweeps.heartbeats import Watch
from texprior.sweeps.retries import free_trial, release_dead_trials, requeue_trial, retry_failed_trials

PLUGIN = Path(__file__).parents[1] / "fake_components.py"
CURVE = {"sampling.texture_strength": {"low": 0, "high": 2}, "sampling.steps": {"low": 1, "high": 20}}


class Killed(BaseException):
    """Stands for SIGKILL: nothing after it is run."""


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("TEXPRIOR_RUNS", str(tmp_path / "runs"))


@pytest.fixture
def study(storage, runs):
    return optuna.create_study(storage=storage, study_name="s")


def ask_dead(study, x=0.25):
    """A running trial of a worker that is dead: it has this process, which runs nothing."""
    trial = study.ask()
    trial.set_user_attr("worker", this_process())
    trial.suggest_float("x", x, x)
    return study.get_trials(deepcopy=False)[trial.number]


def queued(study):
    waiting = study.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    return [(t.system_attrs["fixed_params"], t.user_attrs) for t in waiting]


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


@pytest.mark.parametrize("step", ["set_trial_attribute", "fail_trial", "_enqueue"])
@pytest.mark.parametrize("after", [False, True])
def test_a_kill_between_any_two_steps_loses_no_configuration_and_doubles_none(study, monkeypatch, step, after):
    ask_dead(study)
    real = getattr(retries, step)

    def killed_here(*arguments):
        if after:
            real(*arguments)
        raise Killed

    monkeypatch.setattr(retries, step, killed_here)
    with pytest.raises(Killed):
        release_dead_trials(study, 1, Watch())
    monkeypatch.setattr(retries, step, real)
    for _ in range(2):
        release_dead_trials(study, 1, Watch())
    assert queued(study) == [({"x": 0.25}, {"retry_of": 0, "retries": 1})]
    assert study.get_trials()[0].state == TrialState.FAIL


def test_an_interruption_does_not_reset_the_cap_of_deaths(study):
    ask_dead(study)
    release_dead_trials(study, 1, Watch())
    requeue_trial(study, ask_dead(study))  # Ctrl-C in the repetition
    assert queued(study) == [({"x": 0.25}, {"retry_of": 1, "retries": 1})]
    ask_dead(study)
    assert release_dead_trials(study, 1, Watch()) == [2]
    assert queued(study) == []
    assert study.get_trials()[2].user_attrs["reason"].startswith("its worker died, as 2 in all did: process ")


def test_a_worker_that_was_killed_before_it_read_its_queued_values_loses_none(study):
    study.enqueue_trial({"x": 0.5})
    study.ask().set_user_attr("worker", this_process())
    release_dead_trials(study, 1, Watch())
    assert queued(study) == [({"x": 0.5}, {"retry_of": 0, "retries": 1})]


def test_failed_trials_are_put_back_once_and_count_no_more(registry, storage, made, distance, setup, swept, runs):
    def failing(asked):
        if asked.number in (1, 2):
            raise OSError(f"no data at {asked.number}")
        return distance(asked)

    experiment = made(registry, CURVE)
    first, _ = swept(experiment, registry, storage, 4, failing)
    assert [t.state for t in first.trials] == ["finished", "failed", "failed", "finished"]
    study = optuna.load_study(study_name=first.study, storage=storage)
    assert retry_failed_trials(study) == [1, 2]
    assert retry_failed_trials(study) == []
    result, told = swept(experiment, registry, storage, 4)
    assert [t.state for t in told] == ["finished", "finished"]
    assert [t.params for t in told] == [first.trials[n].params for n in (1, 2)]
    assert sum(t.state == "finished" for t in result.trials) == 4
    assert swept(experiment, registry, storage, 4)[1] == []


def test_a_trial_is_freed_on_request_unless_its_worker_is_seen_to_run(study):
    elsewhere = {"host": "elsewhere.invalid", "pid": 7, "boot": "another boot", "started": "1"}
    trial = study.ask()
    trial.set_user_attr("worker", elsewhere)
    assert free_trial(study, 0).user_attrs["worker"] == elsewhere
    assert queued(study) == [({}, {"retry_of": 0, "retries": 0})]
    with pytest.raises(ConfigError, match=r"^--free 0: it is fail, not running; --status shows the trials of study s$"):
        free_trial(study, 0)
    with pytest.raises(ConfigError, match="--free 9: there is no such trial"):
        free_trial(study, 9)
    ask_dead(study)
    with pytest.raises(ConfigError, match=r"--free 1: process \d+ on \S+ is still running it, on this host; end that"):
        free_trial(study, 1)
