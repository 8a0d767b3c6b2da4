"""The loop of a sweep on a real SQLite storage, with an objective whose optimum is known."""

import errno
import json
import math
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import optuna
import pytest

from texprior.errors import Interrupted, MachineFault, TexpriorError
from texprior.sweeps.ask_tell import run_trials
from texprior.sweeps.retries import requeue_trial

PLUGIN = Path(__file__).parents[1] / "fake_components.py"
WORKER = """
import json
from texprior.processes import this_process
print(json.dumps(this_process()), flush=True)
input()
"""
CURVE = {"sampling.texture_strength": {"low": 0, "high": 2}, "sampling.steps": {"low": 1, "high": 20}}


def test_the_own_configuration_is_first_and_the_optimum_is_approached(registry, storage, made, swept):
    result, told = swept(made(registry, CURVE), registry, storage, 30)
    assert told == result.trials
    assert [t.number for t in told] == list(range(30))
    assert told[0].params == {"sampling.texture_strength": 1.0, "sampling.steps": 4}
    assert told[0].values == {"score": 0.5**2 + 8**2 / 400, "other": 0}
    assert {t.state for t in told} == {"finished"}
    assert result.best == min(told, key=lambda t: t.values["score"])
    assert result.best.values["score"] < 0.05 < told[0].values["score"]


def test_a_rerun_with_the_same_number_only_reports(registry, storage, made, swept):
    first, _ = swept(made(registry, CURVE), registry, storage, 4)
    again, told = swept(made(registry, CURVE), registry, storage, 4)
    assert told == []
    assert again == first


@pytest.mark.parametrize(("better", "best"), [("higher", 2.0), ("lower", 0.25), ("one", 1.25)])
def test_the_direction_is_the_metrics(registry, storage, better, best, made, swept):
    experiment = made(registry, {"sampling.texture_strength": [2.0, 0.25, 1.25]})
    result, _ = swept(
        experiment, registry, storage, 3, lambda a: {"score": a.experiment.sampling.texture_strength}, better=better
    )
    assert result.best.values == {"score": best}


def test_a_failure_is_an_outcome(registry, storage, made, distance, swept):
    def objective(asked):
        if asked.number == 1:
            raise TexpriorError("out of memory")
        if asked.number == 2:
            return {"score": math.nan}
        if asked.number == 3:
            return {"scores": 1.0}
        if asked.number == 4:
            raise optuna.TrialPruned("no hope")
        return distance(asked)

    result, told = swept(made(registry, CURVE), registry, storage, 6, objective)
    assert [t.state for t in told] == ["finished", "failed", "failed", "failed", "pruned", "finished"]
    assert [t.reason for t in told] == [
        "",
        "TexpriorError: out of memory",
        "TexpriorError: score 'score' is nan",
        "TexpriorError: no score 'score' to search by; there are: scores",
        "TrialPruned: no hope",
        "",
    ]
    assert result.best.number in (0, 5)
    assert swept(made(registry, CURVE), registry, storage, 6)[1] == []


def test_where_all_fail_there_is_no_best(registry, storage, made, swept):
    result, _ = swept(made(registry, CURVE), registry, storage, 2, lambda *_: 1 / 0)
    assert result.best is None
    assert [t.reason for t in result.trials] == ["ZeroDivisionError: division by zero"] * 2


@pytest.mark.parametrize("error", [KeyboardInterrupt(), Interrupted("saved")])
def test_ctrl_c_puts_the_trial_back(registry, storage, error, made, distance, swept):
    def objective(asked):
        if asked.number == 2:
            raise error
        return distance(asked)

    experiment = made(registry, CURVE)
    with pytest.raises(type(error)):
        swept(experiment, registry, storage, 4, objective)
    result, told = swept(experiment, registry, storage, 4)
    assert [t.state for t in result.trials] == ["finished", "finished", "interrupted", "finished", "finished"]
    assert told[0].params == result.trials[2].params


def test_the_last_to_ask_waits_for_the_others_and_all_conclude_the_same(
    registry, storage, made, swept, setup, monkeypatch, tmp_path
):
    """While another worker runs the last trial, nothing is concluded; if that worker dies, this one runs it."""
    monkeypatch.setenv("TEXPRIOR_RUNS", str(tmp_path / "runs"))
    experiment, said = made(registry, CURVE), []
    swept(experiment, registry, storage, 2)
    study = optuna.load_study(study_name=optuna.get_all_study_names(storage)[0], storage=storage)
    child = subprocess.Popen([sys.executable, "-c", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    study.enqueue_trial({"sampling.texture_strength": 0.5, "sampling.steps": 12})
    study.ask().set_user_attr("worker", json.loads(child.stdout.readline()))

    def say(message):
        said.append(message)
        child.kill()
        child.wait()

    result = run_trials(setup(experiment, registry, storage, 3), lambda _: {"score": 0.0}, lambda _: None, say)
    (sentence,) = said
    assert re.fullmatch(
        rf"waiting for trials that other workers are running: trial 2 in process {child.pid} on \S+ \(.*\)", sentence
    )
    assert [t.state for t in result.trials] == ["finished", "finished", "interrupted", "finished"]
    assert result.best.number == 3
    assert result.best.params == {"sampling.texture_strength": 0.5, "sampling.steps": 12}


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS])
def test_a_full_disk_stops_the_command_and_uses_up_no_trial(registry, storage, made, swept, number):
    def full(asked):
        if asked.number > 0:
            raise OSError(number, os.strerror(number), "weights")
        return {"score": 1.0}

    experiment = made(registry, CURVE)
    for _ in range(3):
        with pytest.raises(
            MachineFault, match=r"^the disk (is full|can only be read) \(.* 'weights'\); make room"
        ) as e:
            swept(experiment, registry, storage, 3, full)
        assert e.value.exit_code == 1
    result, _ = swept(experiment, registry, storage, 3)
    states = [t.state for t in result.trials]
    assert states == ["finished", "interrupted", "interrupted", "interrupted", "finished", "finished"]
    assert result.trials[4].params == result.trials[1].params


def test_a_lost_device_stops_the_command_and_counts_as_a_death(registry, storage, made, swept):
    def lost(_asked):
        raise RuntimeError("CUDA error: unspecified launch failure\nCompile with ...")

    experiment = made(registry, CURVE)
    for _ in range(2):
        with pytest.raises(MachineFault, match=r"the device was lost \(CUDA error: unspecified launch failure\); run"):
            swept(experiment, registry, storage, 2, lost)
    result, _ = swept(experiment, registry, storage, 2)
    assert [t.state for t in result.trials] == ["interrupted", "failed", "finished"]
    assert result.trials[1].reason.startswith("a device was lost, as 2 in all did: the device was lost (CUDA error: ")


def test_equal_failures_in_a_row_stop_the_command_and_the_next_goes_on(registry, storage, made, swept):
    """Of ten trials, five fail alike: the fifth is put back, the others are run again on request."""

    def unmounted(_asked):
        raise FileNotFoundError("data/train")

    experiment = made(registry, CURVE)
    with pytest.raises(TexpriorError, match=r"^trials 0, 1, 2, 3, 4 failed alike, one after the other \(FileNotFound"):
        swept(experiment, registry, storage, 10, unmounted)
    result, told = swept(experiment, registry, storage, 10)
    assert [t.state for t in result.trials] == ["failed"] * 5 + ["finished"] * 6
    assert told[0].params == result.trials[4].params


def test_a_storage_that_fails_in_the_middle_is_a_sentence(registry, tmp_path, made, swept):
    path = tmp_path / "sweep.db"

    def gone(_asked):
        path.unlink()
        path.mkdir()
        return {"score": 1.0}

    with pytest.raises(TexpriorError, match=r"^Optuna's storage sqlite:\S+ failed: .*; run the same command again"):
        swept(made(registry, CURVE), registry, f"sqlite:///{path}", 2, gone)


def test_two_workers_share_a_study(registry, storage, made, swept, params):
    script = f"""
    import time
    from texprior.config import resolve
    from texprior.registry import Registry
    from texprior.sweeps.ask_tell import run_trials
    from texprior.sweeps.records import SweepSetup
    registry = Registry()
    registry.register({str(PLUGIN)!r})
    experiment = resolve({{"name": "study", "sweep": {{"space": {CURVE!r}, "metric": "score"}}}}, registry)
    slow = lambda a: time.sleep(0.3) or {{"score": a.number}}
    better = {{"score": "lower"}}
    setup = SweepSetup(experiment=experiment, registry=registry, storage={storage!r}, objectives=better, trials=8)
    run_trials(setup, slow, print)
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    workers = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [worker.communicate(timeout=120) for worker in workers]
    assert [(worker.returncode, errors) for worker, (_, errors) in zip(workers, said, strict=True)] == [(0, "")] * 2
    result, told = swept(made(registry, CURVE), registry, storage, 8)
    assert told == []
    assert all(output.count("TrialRecord") > 0 for output, _ in said)
    assert len(result.trials) == 8
    assert len({str(p) for p in params(result.trials)}) == len(result.trials)


def test_a_known_configuration_is_not_run_twice_and_does_not_count(registry, storage, made, swept):
    ran = []

    def steps(asked):
        ran.append(asked.experiment.sampling.steps)
        return {"score": ran[-1]}

    dimensions = {"sampling.steps": {"low": 1, "high": 12}}
    experiment = made(registry, dimensions, adapter="plain")
    result, told = swept(experiment, registry, storage, 11, steps)
    assert len(ran) == len(set(ran)) == 11
    duplicates = [t for t in told if t.state == "duplicate"]
    assert duplicates
    assert len(told) == 11 + len(duplicates)
    assert all(t.values == {"score": t.params["sampling.steps"]} for t in duplicates)
    assert result.best.values["score"] == min(ran)


def test_a_trial_is_pruned_where_enough_others_are_better_and_cost_no_more(registry, storage, made, both):
    """Asked for one after the other, 20 to 24 steps are ever worse and dearer: the fourth has three better ones."""
    numbers = iter([20, 21, 22, 23, 24])

    def rising(asked):
        steps = next(numbers)
        values = {"score": float((steps - 20) ** 2), "cost": 10.0 * steps}
        asked.report(100, values)
        return values

    experiment = made(registry, CURVE, sweep_also=["cost"], sweep_patience=3)
    result, told = both(experiment, registry, storage, 5, rising)
    assert [t.state for t in told] == ["finished"] * 3 + ["pruned"] * 2
    assert told[3].reason == "Pruned: after 100 images: 3 trials or more are better there and cost no more"
    assert [t.number for t in result.front] == [0]


@pytest.mark.parametrize("fails", [False, True])
def test_a_trial_that_another_worker_took_for_dead_ends_no_sweep(registry, storage, fails, made, distance, swept):
    def buried(asked):
        study = optuna.load_study(study_name=optuna.get_all_study_names(storage)[0], storage=storage)
        (trial,) = [t for t in study.get_trials(deepcopy=False) if t.number == asked.number]
        if asked.number == 0:
            requeue_trial(study, trial)
            if fails:
                raise MemoryError("of a trial that is not this worker's any more")
        return distance(asked)

    result, _ = swept(made(registry, CURVE), registry, storage, 2, buried)
    assert [t.state for t in result.trials] == ["interrupted", "finished", "finished"]
    assert result.trials[1].params == result.trials[0].params
