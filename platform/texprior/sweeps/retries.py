"""Puts configurations back into a study's queue, so that a kill at any moment loses none and runs none twice.

A trial that shall be run again is marked first, then ended, then queued. Whoever comes next finishes what a killed
process has left of these three steps. All of it happens under the study's lock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

import optuna
from optuna.trial import FrozenTrial, TrialState

from texprior.errors import ConfigError
from texprior.locks import hold_lock
from texprior.processes import is_running
from texprior.store import runs_root
from texprior.sweeps.heartbeats import WORKER, Watch, worker_name
from texprior.sweeps.optuna_private import fail_trial, set_trial_attribute

PUT_BACK, RETRY_OF, RETRIES = "put_back", "retry_of", "retries"
"""A trial's mark that it is to be queued again, a queued trial's origin, and how many of its workers have died."""


@contextmanager
def lock_study(study: optuna.Study) -> Iterator[None]:
    """Makes the other workers of a study wait."""
    # The lock protects "look, then change" on the study's trials: SQLite and journal files have no row locks.
    with hold_lock(runs_root() / f".{study.study_name}.lock"):
        yield


def retried_trials(trials: list[FrozenTrial]) -> set[int]:
    """Returns the numbers of the trials that another one repeats; they do not count."""
    return {t.user_attrs[RETRY_OF] for t in trials if RETRY_OF in t.user_attrs}


def release_dead_trials(study: optuna.Study, retries: int, watch: Watch) -> list[int]:
    """Fails the trials of dead workers and queues them again; returns their numbers. Needs the study's lock.

    Each configuration is queued again for at most ``retries`` deaths; after that its trial has failed, with a reason.
    """
    _finish_put_backs(study)
    dead = [t for t in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)) if watch.is_dead(t)]
    return [
        trial.number for trial in dead if end_by_death(study, trial, retries, "its worker died", worker_name(trial))
    ]


def end_by_death(study: optuna.Study, trial: FrozenTrial, retries: int, what: str, where: str) -> bool:
    """Ends a trial whose worker can do no more; returns whether this call did it. Needs the study's lock."""
    tried = trial.user_attrs.get(RETRIES, 0)
    if tried < retries:
        return _put_back(study, trial, tried + 1)
    reason = f"{what}{'' if not tried else f', as {tried + 1} in all did'}: {where}"
    return set_trial_attribute(study, trial, "reason", reason) and fail_trial(study, trial)


def requeue_trial(study: optuna.Study, trial: FrozenTrial) -> bool:
    """Ends an interrupted trial and queues its configuration again; returns whether this call did it."""
    with lock_study(study):
        return _put_back(study, trial, trial.user_attrs.get(RETRIES, 0))


def retry_failed_trials(study: optuna.Study, only: Collection[int] | None = None) -> list[int]:
    """Queues failed trials again, all or ``only`` some; returns their numbers.

    The deaths of their workers are forgotten.
    """
    with lock_study(study):
        trials = study.get_trials(deepcopy=False)
        again = retried_trials(trials)
        failed = [t for t in trials if t.state == TrialState.FAIL and "reason" in t.user_attrs]
        failed = [t for t in failed if t.number not in again and (only is None or t.number in only)]
        for trial in failed:
            _enqueue(study, trial, 0)
        return [trial.number for trial in failed]


def free_trial(study: optuna.Study, number: int) -> FrozenTrial:
    """Takes a running trial from its worker and queues it again; returns it as it was.

    Raises ConfigError if it is not running, or if its worker is a process that runs on this host.
    """
    with lock_study(study):
        trial = next((t for t in study.get_trials(deepcopy=False) if t.number == number), None)
        if trial is None or trial.state != TrialState.RUNNING:
            is_what = "there is no such trial" if trial is None else f"it is {trial.state.name.lower()}, not running"
            raise ConfigError(f"--free {number}: {is_what}; --status shows the trials of study {study.study_name}")
        worker = trial.user_attrs.get(WORKER)
        if worker is not None and is_running(worker):
            raise ConfigError(
                f"--free {number}: {worker_name(trial)} is still running it, on this host; end that process instead"
            )
        _put_back(study, trial, trial.user_attrs.get(RETRIES, 0))
        return trial


def _put_back(study: optuna.Study, trial: FrozenTrial, retries: int) -> bool:
    if not set_trial_attribute(study, trial, PUT_BACK, retries) or not fail_trial(study, trial):
        return False
    _enqueue(study, trial, retries)
    return True


def _finish_put_backs(study: optuna.Study) -> None:
    """Queues what a process had ended, but could not queue before it was killed."""
    trials = study.get_trials(deepcopy=False)
    queued = retried_trials(trials)
    for trial in trials:
        if trial.state == TrialState.FAIL and PUT_BACK in trial.user_attrs and trial.number not in queued:
            _enqueue(study, trial, trial.user_attrs[PUT_BACK])


def _enqueue(study: optuna.Study, trial: FrozenTrial, retries: int) -> None:
    # a worker that was killed early has not read all values that were queued for its trial
    values = {**trial.system_attrs.get("fixed_params", {}), **trial.params}
    study.enqueue_trial(values, user_attrs={RETRY_OF: trial.number, RETRIES: retries})
