"""Runs the loop of a sweep.

The loop asks Optuna for configurations, runs them, and tells Optuna their outcomes.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NoReturn

import optuna
from optuna.trial import FrozenTrial, TrialState

from texprior.config import with_overrides
from texprior.errors import Interrupted, MachineFault, TexpriorError
from texprior.registry.error_source import describe_error
from texprior.runtime.machine_faults import name_machine_faults
from texprior.sweeps.claim import Claims
from texprior.sweeps.equal_failures import EqualFailures
from texprior.sweeps.heartbeats import send_heartbeats
from texprior.sweeps.records import AskedTrial, Better, Objective, Pruned, SweepResult, SweepSetup, TrialRecord
from texprior.sweeps.retries import end_by_death, lock_study, requeue_trial, retry_failed_trials
from texprior.sweeps.search_strategy import pruner_for, should_prune
from texprior.sweeps.storage import STORAGE_ERRORS, name_storage_errors
from texprior.sweeps.study import enqueue_own_configuration, open_study, record_of, result_of

log = logging.getLogger(__name__)
_REASON_LENGTH = 2000
"""Characters of a failure's reason that are stored: the error of a database or of CUDA would fill pages."""
OnTrial = Callable[[TrialRecord], None]


def run_trials(
    setup: SweepSetup,
    objective: Objective,
    on_trial: OnTrial,
    say: Callable[[str], None] = lambda _message: None,
    on_dead: OnTrial = lambda _trial: None,
) -> SweepResult:
    """Runs trials until the study holds ``setup.trials`` ended ones, whichever worker ran them.

    The experiment's own configuration comes first. A trial that raises has failed, with its reason, and the sweep
    continues; Ctrl-C re-queues its configuration and is raised again. A configuration that is known is not run again:
    it keeps its values, and does not count.

    ``on_trial`` gets every trial that ends here, ``on_dead`` every trial whose worker is found dead, ``say`` what a
    user should know about the study. Returns only when no trial is running, here or elsewhere. Raises ConfigError if
    the storage cannot be used, or if it holds trials of another experiment or of another prior or predictor;
    MachineFault, with its trial back in the queue, if a disk is full or a device is lost; TexpriorError if
    ``EQUAL_FAILURES`` trials in a row fail alike.
    """
    study = open_study(setup, say)
    study.pruner = pruner_for(setup.experiment.sweep)
    with name_storage_errors(setup.storage):
        enqueue_own_configuration(study, setup.experiment)
        claims, repeats = Claims(study, setup, say, on_dead), 0
        alike = EqualFailures(setup.experiment)
        while taken := claims.take(repeats):
            trial, values = taken
            known = _known(study, trial)
            repeats = repeats + 1 if known else 0
            if known:
                _reuse(study, trial, known)
            else:
                _run(study, trial, values, setup, objective)
            ended = record_of(_frozen(study, trial.number))
            on_trial(ended)
            if stop := alike.add(ended):
                retry_failed_trials(study, [ended.number])
                raise TexpriorError(stop)
        return result_of(study, setup.storage, setup.objectives)


def _run(
    study: optuna.Study, trial: optuna.Trial, values: Mapping[str, Any], setup: SweepSetup, objective: Objective
) -> None:
    """Runs one trial, from its values to its end in the storage."""

    def report(images_seen: int, scores: Mapping[str, float]) -> None:
        _judge(study, trial, images_seen, _targets(scores, setup.objectives), setup.experiment.sweep.patience)

    try:
        with send_heartbeats(trial), name_machine_faults():
            resolved = with_overrides(setup.experiment, values, setup.registry)
            scores = objective(AskedTrial(trial.number, resolved, report, partial(trial.set_user_attr, "run")))
            targets = _targets(scores, setup.objectives)
    except MachineFault as fault:
        _give_up(study, trial, setup.experiment.sweep.retries, fault)
        raise
    except STORAGE_ERRORS:  # Optuna's storage failed, and not the trial: it is released when this process is gone
        raise
    except Exception as error:
        if isinstance(error, Interrupted):
            requeue_trial(study, _frozen(study, trial.number))
            raise
        _end_failed(study, trial, error)
    except BaseException:  # Ctrl-C, or the process is asked to end
        requeue_trial(study, _frozen(study, trial.number))
        raise
    else:
        _end_scored(study, trial, scores, targets)


def _end_scored(
    study: optuna.Study, trial: optuna.Trial, scores: Mapping[str, float], targets: Sequence[float]
) -> None:
    # The lock protects "look for the same configuration, then end": two workers may have run it at the same time.
    with lock_study(study):
        if _was_taken(study, trial):
            return
        known = _known(study, trial)
        if known:
            trial.set_user_attr("duplicate_of", known.number)
        trial.set_user_attr("values", {name: float(score) for name, score in scores.items()})
        study.tell(trial, targets)


def _end_failed(study: optuna.Study, trial: optuna.Trial, error: Exception) -> None:
    """Ends a trial that raised: pruned, or failed with its reason."""
    pruned = isinstance(error, optuna.TrialPruned) or getattr(error, "run_status", "") == "pruned"
    with lock_study(study):
        if _was_taken(study, trial):
            return
        trial.set_user_attr("reason", describe_error(error)[:_REASON_LENGTH])
        study.tell(trial, state=TrialState.PRUNED if pruned else TrialState.FAIL)
    log.log(logging.INFO if pruned else logging.WARNING, "trial %d ended: %s", trial.number, describe_error(error))


def _was_taken(study: optuna.Study, trial: optuna.Trial) -> bool:
    """Whether another worker took this one for dead, or a user freed the trial, so that it is run again already."""
    taken = bool(_frozen(study, trial.number).state.is_finished())
    if taken:
        log.warning("trial %d was taken from this worker in the meantime, and is run again", trial.number)
    return taken


def _give_up(study: optuna.Study, trial: optuna.Trial, retries: int, fault: MachineFault) -> None:
    """Puts a trial back whose machine failed. A lost device counts as a death: the trial may have caused it."""
    frozen = _frozen(study, trial.number)
    try:
        if fault.device:
            with lock_study(study):
                end_by_death(study, frozen, retries, "a device was lost", str(fault))
        else:
            requeue_trial(study, frozen)
    # Optuna's storage may be on the full disk too. The trial is then released when this process is gone.
    except (*STORAGE_ERRORS, OSError) as error:
        log.warning("trial %d stays with this process until it ends: %s", trial.number, error)


def _judge(study: optuna.Study, trial: optuna.Trial, images_seen: int, targets: Sequence[float], patience: int) -> None:
    """Raises Pruned if a trial shall stop at a rung: by Optuna's pruner, or ``should_prune`` for several objectives."""
    if len(targets) == 1:
        trial.report(targets[0], images_seen)
        if trial.should_prune():
            _prune(images_seen, f"{type(study.pruner).__name__} sees no hope")
        return
    # Optuna's report() and should_prune() raise for several objectives: the losses of a rung are user attributes.
    signs = [1 if d == optuna.study.StudyDirection.MINIMIZE else -1 for d in study.directions]
    losses, key = [sign * t for sign, t in zip(signs, targets, strict=True)], f"rung {images_seen}"
    trial.set_user_attr(key, losses)
    others = [t.user_attrs[key] for t in study.get_trials(deepcopy=False) if key in t.user_attrs]
    if should_prune(losses, others, patience):
        _prune(images_seen, f"{patience} trials or more are better there and cost no more")


def _prune(images_seen: int, why: str) -> NoReturn:
    raise Pruned(f"after {images_seen} images: {why}")


def _targets(scores: Mapping[str, float], objectives: Mapping[str, Better]) -> list[float]:
    """What Optuna gets; for a metric that is best at 1, the distance from 1."""
    targets = []
    for metric, better in objectives.items():
        if metric not in scores:
            raise TexpriorError(f"no score '{metric}' to search by; there are: {', '.join(scores) or 'none'}")
        if not math.isfinite(scores[metric]):
            raise TexpriorError(f"score '{metric}' is {scores[metric]}")
        targets.append(abs(scores[metric] - 1) if better == "one" else float(scores[metric]))
    return targets


def _known(study: optuna.Study, trial: optuna.Trial) -> FrozenTrial | None:
    """A finished trial of the same configuration."""
    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    params = trial.params  # a copy at each access, too slow for each of thousands of trials
    return next((t for t in finished if t.params == params and "duplicate_of" not in t.user_attrs), None)


def _reuse(study: optuna.Study, trial: optuna.Trial, known: FrozenTrial) -> None:
    with lock_study(study):
        if not _was_taken(study, trial):
            trial.set_user_attr("values", known.user_attrs.get("values", {}))
            trial.set_user_attr("duplicate_of", known.number)
            study.tell(trial, known.values)


def _frozen(study: optuna.Study, number: int) -> FrozenTrial:
    return next(t for t in study.get_trials(deepcopy=False) if t.number == number)
