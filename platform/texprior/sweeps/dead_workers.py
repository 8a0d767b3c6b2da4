"""Finds trials whose worker died, marks them failed, and re-queues them up to ``sweep.retries`` times."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import optuna
from optuna.trial import FrozenTrial, TrialState

from texprior.locks import hold_lock
from texprior.processes import is_here, is_running, this_process
from texprior.store import runs_root
from texprior.sweeps.optuna_private import (
    fail_trial,
    has_missed_heartbeats,
    keeps_heartbeats,
    record_heartbeat,
    set_trial_attribute,
)

log = logging.getLogger(__name__)
HEARTBEAT_S, GRACE_S = 20, 90
"""Seconds between a worker's heartbeats in the database, and seconds of silence after which it counts as dead.

The grace covers four missed heartbeats: a database that is away for a minute kills no worker.
"""
_UNNAMED_S = 60
"""Seconds for a worker to write who it is after it asked for a trial; it does so at once, so a minute is ample."""


def release_dead_trials(study: optuna.Study, retries: int) -> list[int]:
    """Fails the trials of dead workers and re-queues them; returns their numbers.

    Each trial is queued again at most ``retries`` times. A worker on this host is dead if its process is. A worker on
    another host is dead if the database keeps heartbeats and has missed them for ``GRACE_S``. Only the worker that
    changed the trial's state re-queues it.
    """
    with lock_study(study):
        dead = [t for t in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)) if _is_dead(study, t)]
        return [trial.number for trial in dead if _release(study, trial, retries)]


@contextmanager
def lock_study(study: optuna.Study) -> Iterator[None]:
    """Makes the other workers of a study wait."""
    # The lock protects "look, then change" on the study's trials: SQLite and journal files have no row locks.
    with hold_lock(runs_root() / f".{study.study_name}.lock"):
        yield


def requeue_trial(study: optuna.Study, trial: FrozenTrial) -> None:
    """Ends an interrupted trial and queues its configuration again."""
    if fail_trial(study, trial):
        study.enqueue_trial(trial.params, user_attrs={"retry_of": trial.number})


@contextmanager
def send_heartbeats(study: optuna.Study, trial: optuna.Trial) -> Iterator[None]:
    """Records a heartbeat of this trial's worker every ``HEARTBEAT_S``, if the database keeps heartbeats."""
    if not keeps_heartbeats(study):
        yield
        return
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(HEARTBEAT_S):
            try:
                record_heartbeat(study, trial)
            except Exception as error:  # a database that is away for a moment has not ended the trial
                log.warning("trial %d: no heartbeat could be recorded: %s", trial.number, error)

    record_heartbeat(study, trial)
    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _release(study: optuna.Study, trial: FrozenTrial, retries: int) -> bool:
    """Fails a dead worker's trial and re-queues it if allowed; returns whether this call did it."""
    tried = trial.user_attrs.get("retries", 0)
    if tried >= retries:
        reason = f"its worker died{'' if not tried else f', as {tried + 1} in all did'}: {_worker_name(trial)}"
        set_trial_attribute(study, trial, "reason", reason)
    ended = fail_trial(study, trial)
    if ended and tried < retries:
        more = {"retry_of": trial.number, "retries": tried + 1}
        study.enqueue_trial(trial.params, user_attrs=more)
    return ended


def _is_dead(study: optuna.Study, trial: FrozenTrial) -> bool:
    worker = trial.user_attrs.get("worker")
    if worker is None:  # asked for a moment ago, or its worker died before it could write who it is
        started, limit = trial.datetime_start, timedelta(seconds=_UNNAMED_S)
        return started is not None and datetime.now() - started > limit
    if not is_here(worker):
        return keeps_heartbeats(study) and has_missed_heartbeats(study, trial)
    # a worker runs one trial at a time, and this process runs none at the moment: its own older trial is dead too
    return not is_running(worker) or worker == this_process()


def _worker_name(trial: FrozenTrial) -> str:
    worker = trial.user_attrs.get("worker") or {"host": "unknown", "pid": "unknown"}
    return f"process {worker['pid']} on {worker['host']}"
