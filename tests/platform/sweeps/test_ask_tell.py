"""Sweeps on a real SQLite storage, with an objective whose optimum is known."""

import itertools
import math
import re
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from types import SimpleNamespace

import optuna
import pytest

from texprior.config import resolve
from texprior.errors import ConfigError, Interrupted, TexpriorError
from texprior.registry import Registry
from texprior.sweeps import dead_workers
from texprior.sweeps.ask_tell import run_trials
from texprior.sweeps.importance import parameter_importances
from texprior.sweeps.records import SweepSetup
from texprior.sweeps.report import short_configuration
from texprior.sweeps.search_strategy import should_prune
from texprior.sweeps.study import default_storage, redact_storage, study_name

PLUGIN = Path(__file__).parents[1] / "fake_components.py"
CURVE = {"sampling.texture_strength": {"low": 0, "high": 2}, "sampling.steps": {"low": 1, "high": 20}}


@pytest.fixture(scope="module")
def registry():
    registry = Registry()
    registry.register(PLUGIN)
    return registry


@pytest.fixture
def storage(tmp_path):
    return f"sqlite:///{tmp_path}/optuna.db"


def made(registry, dimensions, **more):
    """An experiment that searches these dimensions; ``sweep_NAME`` are further settings of its sweep."""
    sweep = {name.removeprefix("sweep_"): more.pop(name) for name in list(more) if name.startswith("sweep_")}
    return resolve({"name": "study", **more, "sweep": {"space": dimensions, "metric": "score", **sweep}}, registry)


def distance(asked):
    """0 at texture strength 0.5 and 12 steps."""
    sampling = asked.experiment.sampling
    return {"score": (sampling.texture_strength - 0.5) ** 2 + (sampling.steps - 12) ** 2 / 400, "other": asked.number}


def swept(experiment, registry, storage, trials, objective=distance, better="lower"):
    told = []
    result = run_trials(setup(experiment, registry, storage, trials, {"score": better}), objective, told.append)
    return result, told


def setup(experiment, registry, storage, trials=None, objectives=None, **more):
    return SweepSetup(
        experiment=experiment,
        registry=registry,
        storage=storage,
        objectives=objectives or {"score": "lower"},
        trials=trials,
        **more,
    )


def params(records):
    return [dict(r.params) for r in records]


def test_the_own_configuration_is_first_and_the_optimum_is_approached(registry, storage):
    result, told = swept(made(registry, CURVE), registry, storage, 30)
    assert told == result.trials
    assert [t.number for t in told] == list(range(30))
    assert told[0].params == {"sampling.texture_strength": 1.0, "sampling.steps": 4}
    assert told[0].values == {"score": 0.5**2 + 8**2 / 400, "other": 0}
    assert {t.state for t in told} == {"finished"}
    assert result.best == min(told, key=lambda t: t.values["score"])
    assert result.best.values["score"] < 0.05 < told[0].values["score"]


def test_a_rerun_with_the_same_number_only_reports(registry, storage):
    first, _ = swept(made(registry, CURVE), registry, storage, 4)
    again, told = swept(made(registry, CURVE), registry, storage, 4)
    assert told == []
    assert again == first


def test_a_resumed_sweep_goes_on_as_an_unbroken_one(registry, tmp_path):
    experiment = made(registry, CURVE)
    unbroken, _ = swept(experiment, registry, f"sqlite:///{tmp_path}/a.db", 14)
    swept(experiment, registry, f"sqlite:///{tmp_path}/b.db", 6)
    resumed, told = swept(experiment, registry, f"sqlite:///{tmp_path}/b.db", 14)
    assert len(told) == 8
    assert params(resumed.trials) == params(unbroken.trials)


@pytest.mark.parametrize(("better", "best"), [("higher", 2.0), ("lower", 0.25), ("one", 1.25)])
def test_the_direction_is_the_metrics(registry, storage, better, best):
    experiment = made(registry, {"sampling.texture_strength": [2.0, 0.25, 1.25]})
    result, _ = swept(
        experiment, registry, storage, 3, lambda a: {"score": a.experiment.sampling.texture_strength}, better=better
    )
    assert result.best.values == {"score": best}


def test_a_failure_is_an_outcome(registry, storage):
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


def test_where_all_fail_there_is_no_best(registry, storage):
    result, _ = swept(made(registry, CURVE), registry, storage, 2, lambda *_: 1 / 0)
    assert result.best is None
    assert [t.reason for t in result.trials] == ["ZeroDivisionError: division by zero"] * 2


@pytest.mark.parametrize("error", [KeyboardInterrupt(), Interrupted("saved")])
def test_ctrl_c_puts_the_trial_back(registry, storage, error):
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


def test_a_killed_sweeps_trial_is_run_again(registry, storage):
    script = f"""
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
    """
    killed = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, timeout=120)
    assert (killed.returncode, killed.stdout, killed.stderr) == (-signal.SIGKILL, b"", b"")
    result, told = swept(made(registry, CURVE), registry, storage, 2)
    assert [t.state for t in result.trials] == ["interrupted", "finished", "finished"]
    assert told[0].params == result.trials[0].params == {"sampling.texture_strength": 1.0, "sampling.steps": 4}


def test_two_workers_share_a_study(registry, storage):
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
    assert len(result.trials) in (8, 9)  # both may ask for the last one at once
    assert len({str(p) for p in params(result.trials)}) == len(result.trials)


def test_a_discrete_space_no_larger_than_the_trials_is_searched_whole(registry, storage):
    experiment = made(registry, {"adapter": ["plain", "thin"], "adapter.thin.rank": [1, 2, 4], "sampling.rho": [5, 7]})
    result, told = swept(experiment, registry, storage, 50, lambda a: {"score": a.number})
    assert len(told) == (1 + 3) * 2
    assert len({str(sorted(p.items())) for p in params(told)}) == 8
    assert {t.state for t in told} == {"finished"}
    assert all(("adapter.thin.rank" in t.params) == (t.params["adapter"] == "thin") for t in result.trials)


def test_a_known_configuration_is_not_run_twice_and_does_not_count(registry, storage):
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


def test_another_space_is_another_study_and_another_experiment_is_refused(registry, storage):
    first, _ = swept(made(registry, CURVE), registry, storage, 2)
    wider = made(registry, {**CURVE, "sampling.rho": [5, 7]})
    other, told = swept(wider, registry, storage, 2)
    assert other.study != first.study
    assert len(told) == 2
    assert other.study == study_name(wider)
    changed = made(registry, CURVE, sampling={"rho": 5.0})
    with pytest.raises(
        ConfigError, match=r"another experiment: sampling.rho was 7.0 and is 5.0; give this one another"
    ):
        swept(changed, registry, storage, 2)
    assert swept(made(registry, CURVE, threads=1, device="cpu"), registry, storage, 2)[1] == []


def test_trials_on_another_prior_are_refused(registry, storage):
    def stood_on(content):
        shared = {"prior's sha256": content}
        return run_trials(
            setup(made(registry, CURVE), registry, storage, 2, shared=shared or {}), distance, lambda _: None
        )

    assert len(stood_on("aa").trials) == len(stood_on("aa").trials) == 2
    with pytest.raises(ConfigError, match="another experiment: prior's sha256 was aa and is bb"):
        stood_on("bb")


@pytest.mark.parametrize(
    "broken",
    [
        "sqlite:////nowhere/at/all/x.db",
        "not an address",
        "nosuchdatabase://me:secret@host/x",
        "postgresql://me:secret@127.0.0.1:1/x",
    ],
)
def test_a_storage_that_cannot_be_used_is_said_in_a_sentence(registry, broken):
    with pytest.raises(ConfigError, match=r"^Optuna's storage .* cannot be used: ") as caught:
        swept(made(registry, CURVE), registry, broken, 1)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_default_storage_lies_beside_the_runs(registry, tmp_path, monkeypatch):
    monkeypatch.setenv("TEXPRIOR_RUNS", str(tmp_path / "runs"))
    assert default_storage() == f"sqlite:///{tmp_path}/runs/optuna.db"
    swept(made(registry, CURVE), registry, default_storage(), 1)
    assert (tmp_path / "runs" / "optuna.db").is_file()


def test_a_password_is_not_shown():
    assert redact_storage("postgresql://me:a@b:c@host/x") == "postgresql://me:***@host/x"
    assert redact_storage("sqlite:////tmp/x.db") == "sqlite:////tmp/x.db"


def costly(asked):
    """Better and dearer with every step: score (steps - 20)^2, cost 10 steps; every trial reports at two rungs."""
    steps = asked.experiment.sampling.steps
    values = {"score": float((steps - 20) ** 2), "cost": 10.0 * steps}
    for images in (100, 200):
        asked.report(images, values)
    return values


def both(experiment, registry, storage, trials, objective=costly):
    told = []
    better = {"score": "lower", "cost": "lower"}
    return run_trials(setup(experiment, registry, storage, trials, better), objective, told.append), told


def test_several_objectives_give_their_front(registry, storage):
    """Up to 20 steps every trial is on the front; beyond, more steps are worse in both."""
    dimensions = {"sampling.steps": {"low": 16, "high": 25}}
    experiment = made(registry, dimensions, sweep_also=["cost"])
    result, _ = both(experiment, registry, storage, 10)
    assert [t.params["sampling.steps"] for t in result.front] == [20, 19, 18, 17, 16]
    assert result.best.params == {"sampling.steps": 20}
    assert study_name(experiment).endswith("-score-cost")


def test_a_trial_is_pruned_where_enough_others_are_better_and_cost_no_more(registry, storage):
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


@pytest.mark.parametrize(
    ("values", "others", "patience", "expected"),
    [
        ([2.0, 5.0], [[1.0, 5.0], [1.5, 4.0]], 2, True),
        ([2.0, 5.0], [[1.0, 6.0], [1.5, 4.0]], 2, False),  # one of them costs more
        ([2.0, 5.0], [[2.0, 1.0], [1.5, 4.0]], 2, False),  # one of them is no better
        ([2.0], [[1.0]], 1, True),
    ],
)
def test_the_rule_of_several_objectives(values, others, patience, expected):
    assert should_prune(values, others, patience) is expected


def test_the_median_rule_prunes_at_a_rung(registry, storage):
    """Scores rise with the trial's number: from the fifth trial on, each is worse than the median of those before."""

    def worse(asked):
        asked.report(100, {"score": float(asked.number)})
        return {"score": float(asked.number)}

    experiment = made(registry, CURVE, sweep_rungs=[0.5])
    told = swept(experiment, registry, storage, 7, worse)[1]
    assert [t.state for t in told] == ["finished"] * 4 + ["pruned"] * 3
    assert told[4].reason == "Pruned: after 100 images: MedianPruner sees no hope"


def test_a_sampler_and_a_pruner_of_optuna_by_name(registry, storage):
    quasi = made(registry, CURVE, sweep_sampler={"QMCSampler": {"qmc_type": "halton"}}, sweep_pruner="HyperbandPruner")
    result, _ = swept(quasi, registry, storage, 4)
    halton = [2 * n for n in (0, 1 / 2, 1 / 4)]  # van der Corput's sequence in base 2, on [0, 2]
    assert [t.params["sampling.texture_strength"] for t in result.trials[1:]] == halton
    with pytest.raises(ConfigError, match=r"sweep.sampler: Optuna has no 'Tpe'; it has auto, .*TPESampler"):
        swept(made(registry, CURVE, sweep_sampler="Tpe"), registry, storage, 1)
    with pytest.raises(ConfigError, match=r"sweep.pruner.MedianPruner: .*unexpected keyword argument 'speed'"):
        swept(
            made(registry, CURVE, sweep_rungs=[0.5], sweep_pruner={"MedianPruner": {"speed": 1}}), registry, storage, 1
        )


def test_a_journal_is_a_storage(registry, tmp_path):
    storage = f"journal:{tmp_path}/sweep.log"
    first, _ = swept(made(registry, CURVE), registry, storage, 3)
    again, told = swept(made(registry, CURVE), registry, storage, 4)
    assert len(told) == 1
    assert again.trials[:3] == first.trials


def test_a_space_that_changed_is_said(registry, storage):
    swept(made(registry, CURVE), registry, storage, 1)
    said = []
    wider = {**CURVE, "sampling.steps": {"low": 1, "high": 40}, "sampling.rho": [5, 7]}
    run_trials(setup(made(registry, wider), registry, storage, 1), distance, print, said.append)
    (sentence,) = said
    assert "sampling.steps: 1 to 20 -> 1 to 40; sampling.rho: not searched -> 5.0, 7.0" in sentence
    assert sentence.endswith("this is a new study")


def test_a_grid_is_gone_through_once(registry, storage):
    grid = {"sampling.texture_strength": [0.0, 0.5, 1.0], "sampling.steps": [4, 12, 20]}
    space = {path: {"low": values[0], "high": values[-1]} for path, values in grid.items()}
    experiment = made(registry, space, sweep_sampler={"GridSampler": {"search_space": grid}})
    result, _ = swept(experiment, registry, storage, 9)
    found = [
        (t.params["sampling.texture_strength"], t.params["sampling.steps"])
        for t in result.trials
        if t.state == "finished"
    ]
    assert sorted(found) == sorted(itertools.product(*grid.values()))  # the own configuration is one of them


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


@pytest.mark.parametrize("fails", [False, True])
def test_a_trial_that_another_worker_took_for_dead_ends_no_sweep(registry, storage, fails):
    def buried(asked):
        study = optuna.load_study(study_name=optuna.get_all_study_names(storage)[0], storage=storage)
        (trial,) = [t for t in study.get_trials(deepcopy=False) if t.number == asked.number]
        if asked.number == 0:
            dead_workers.requeue_trial(study, trial)
            if fails:
                raise MemoryError("of a trial that is not this worker's any more")
        return distance(asked)

    result, _ = swept(made(registry, CURVE), registry, storage, 2, buried)
    assert [t.state for t in result.trials] == ["interrupted", "finished", "finished"]
    assert result.trials[1].params == result.trials[0].params


def test_programs_that_changed_are_said(registry, storage):
    said = []
    for programs in (["gate/gate==1"], ["gate/gate==2", "acme/rain==1"]):
        result = run_trials(
            setup(made(registry, CURVE), registry, storage, 1, programs=programs), distance, print, said.append
        )
        assert [t.state for t in result.trials] == ["finished"]
    (sentence,) = said
    assert re.fullmatch(
        r"acme/rain, gate/gate: not the program that study study-\S+ used: this is a new study", sentence
    )


def test_a_trial_whose_workers_keep_dying_has_failed(registry, storage):
    """Run once, and once again; then it counts, with the reason, and the sweep goes on."""
    script = f"""
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
    """
    for _ in range(2):
        subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, timeout=120, check=False)
    told, died = [], []
    result = run_trials(setup(made(registry, CURVE), registry, storage, 2), distance, told.append, on_dead=died.append)
    assert [t.state for t in result.trials] == ["interrupted", "failed", "finished"]
    assert died == [result.trials[1]]
    assert re.fullmatch(r"its worker died, as 2 in all did: process \d+ on .+", result.trials[1].reason)
    assert result.trials[0].params == result.trials[1].params != told[0].params


def test_fanova_finds_what_matters(registry, storage):
    """score = 100 s^2 with s the strength; steps have no part in it."""
    experiment = made(registry, CURVE)
    result, _ = swept(
        experiment, registry, storage, 24, lambda a: {"score": 100 * a.experiment.sampling.texture_strength**2}
    )
    shares = parameter_importances(experiment, storage, result.study)["all"]
    assert shares["sampling.texture_strength"] > 0.9
    assert sum(shares.values()) == pytest.approx(1)
    assert shares == parameter_importances(experiment, storage, result.study)["all"]


def test_a_configuration_in_short_names_components_and_the_ends_of_paths():
    params = {"adapter": "spade", "adapter.spade.width": 42, "training.adapter.lr": 0.001213}
    assert short_configuration(params) == "spade width=42 lr=0.00121"
    rates = {"training.prior.lr": 0.1, "training.adapter.lr": 0.2}
    assert short_configuration(rates) == "prior.lr=0.1 adapter.lr=0.2"
