"""A sweep: Optuna asks for configurations and is told their outcomes."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from texprior import space
from texprior.config import with_overrides
from texprior.errors import Interrupted, TexpriorError
from texprior.registry import Registry
from texprior.schema import Experiment
from texprior.study import (
    Better,
    Keyed,
    SweepResult,
    TrialRecord,
    counted,
    enqueue_own,
    open_study,
    record_of,
    release_stale,
    result_of,
    this_worker,
)

log = logging.getLogger(__name__)
Objective = Callable[[int, Experiment], Mapping[str, float]]
"""(trial number, its resolved experiment) -> the mean of every summary metric."""

_REPEATS = 5
"""After so many known configurations in a row, an untried one is picked outright."""


def run_sweep(
    experiment: Experiment,
    registry: Registry,
    objective: Objective,
    storage: str,
    better: Better,
    on_trial: Callable[[TrialRecord], None],
    trials: int | None = None,
    shared: Mapping[str, str] | None = None,
) -> SweepResult:
    """Goes on until the study holds ``trials`` ended trials, whoever ran them; the experiment's own values come first.

    A trial that raises has failed, with its reason, and the sweep goes on; Ctrl-C puts its configuration back in the
    queue and is raised again. A known configuration is not run twice: it keeps its value, and does not count.
    Raises ConfigError where the storage cannot be used, or holds the trials of another experiment, or trials that stand
    on another prior or predictor than ``shared`` says.
    """
    sweep, repeats = experiment.sweep, 0
    wanted, possible = trials or sweep.trials, space.size(sweep)
    study = open_study(experiment, storage, better, shared)
    release_stale(study)
    enqueue_own(study, experiment)
    while counted(study) < min(wanted, possible or wanted):
        study.sampler = _sampler(sweep.seed, wanted, possible, repeats)
        trial = study.ask()
        trial.set_user_attr("worker", this_worker())
        values = space.suggest(trial, sweep)
        known = _known(study, trial)
        repeats = repeats + 1 if known else 0
        if known:
            _reuse(study, trial, known)
        else:
            _run(study, trial, values, experiment, registry, objective, better)
        on_trial(record_of(_frozen(study, trial)))
    return result_of(study, storage, sweep.metric)


def _sampler(seed: int, wanted: int, possible: int | None, repeats: int) -> Keyed:
    """TPE; every configuration in turn where the trials suffice for all, or where TPE keeps to the known ones."""
    if possible is None:
        return Keyed(seed, "random" if repeats >= _REPEATS else "model")
    return Keyed(seed, "untried" if possible <= wanted or repeats >= _REPEATS else "model")


def _run(
    study: optuna.Study,
    trial: optuna.Trial,
    values: Mapping[str, Any],
    experiment: Experiment,
    registry: Registry,
    objective: Objective,
    better: Better,
) -> None:
    """One trial, from its values to its end in the storage."""
    try:
        scores = objective(trial.number, with_overrides(experiment, values, registry))
        trial.set_user_attr("values", {name: float(score) for name, score in scores.items()})
        study.tell(trial, _target(scores, experiment.sweep.metric, better))
    except Exception as error:
        if isinstance(error, Interrupted):
            _put_back(study, trial)
            raise
        pruned = isinstance(error, optuna.TrialPruned) or getattr(error, "run_status", "") == "pruned"
        trial.set_user_attr("reason", f"{type(error).__name__}: {error}"[:2000])
        study.tell(trial, state=TrialState.PRUNED if pruned else TrialState.FAIL)
        log.log(logging.INFO if pruned else logging.WARNING, "trial %d ended: %s", trial.number, error)
    except BaseException:  # Ctrl-C, or the process is asked to end
        _put_back(study, trial)
        raise


def _put_back(study: optuna.Study, trial: optuna.Trial) -> None:
    study.tell(trial, state=TrialState.FAIL)
    study.enqueue_trial(trial.params, user_attrs={"retry_of": trial.number})


def _target(scores: Mapping[str, float], metric: str, better: Better) -> float:
    """What Optuna is told; for a metric that is best at 1, the distance from it."""
    if metric not in scores:
        raise TexpriorError(f"no score '{metric}' to search by; there are: {', '.join(scores) or 'none'}")
    if not math.isfinite(scores[metric]):
        raise TexpriorError(f"score '{metric}' is {scores[metric]}")
    return abs(scores[metric] - 1) if better == "one" else float(scores[metric])


def _known(study: optuna.Study, trial: optuna.Trial) -> FrozenTrial | None:
    """A finished trial of the same configuration."""
    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return next((t for t in finished if t.params == trial.params and "duplicate_of" not in t.user_attrs), None)


def _reuse(study: optuna.Study, trial: optuna.Trial, known: FrozenTrial) -> None:
    trial.set_user_attr("values", known.user_attrs.get("values", {}))
    trial.set_user_attr("duplicate_of", known.number)
    study.tell(trial, known.values)


def _frozen(study: optuna.Study, trial: optuna.Trial) -> FrozenTrial:
    return next(t for t in study.get_trials(deepcopy=False) if t.number == trial.number)
