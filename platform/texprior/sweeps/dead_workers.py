"""Trials of workers that are no more: failed once, by a worker that lives, and run again as often as allowed."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import optuna
from filelock import FileLock
from optuna.trial import FrozenTrial, TrialState

from texprior.store import runs_root

log = logging.getLogger(__name__)
HEARTBEAT_S, GRACE_S = 20, 90
"""How often a worker says in the database that it lives, and after how long a silent one counts as dead."""


def this_worker() -> dict[str, Any]:
    """Who runs a trial; written beside it, so that a worker's death is seen."""
    return {"host": socket.gethostname(), "pid": os.getpid()}


def release_dead_trials(study: optuna.Study, retries: int) -> list[int]:
    """Fails the trials of dead workers and puts them back in the queue, each at most ``retries`` times; their numbers.

    A worker on this host is dead when its process is; one on another host when the database, if it keeps heartbeats,
    has not heard of it for ``GRACE_S``. Only the worker that changed the trial's state queues it again.
    """
    with lock_study(study):
        dead = [t for t in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)) if _is_dead(study, t)]
        return [trial.number for trial in dead if _fail(study, trial, retries)]


@contextmanager
def lock_study(study: optuna.Study) -> Iterator[None]:
    """Keeps the other workers of a study waiting: SQLite and journal files have no row locks."""
    lock = runs_root() / f".{study.study_name}.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(lock):
        yield


def requeue_trial(study: optuna.Study, trial: FrozenTrial) -> None:
    """Ends an interrupted trial and queues its configuration again."""
    if _end(study, trial):
        study.enqueue_trial(trial.params, user_attrs={"retry_of": trial.number})


@contextmanager
def send_heartbeats(study: optuna.Study, trial: optuna.Trial) -> Iterator[None]:
    """Says every ``HEARTBEAT_S`` in a database that keeps heartbeats that this trial's worker lives."""
    storage, ended = study._storage, threading.Event()
    if not _keeps_heartbeats(storage):
        yield
        return

    def beat() -> None:
        while not ended.wait(HEARTBEAT_S):
            try:
                storage.record_heartbeat(trial._trial_id)
            except Exception as error:  # a database that is away for a moment has not ended the trial
                log.warning("trial %d: no heartbeat could be recorded: %s", trial.number, error)

    storage.record_heartbeat(trial._trial_id)
    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _keeps_heartbeats(storage: Any) -> bool:
    interval = getattr(storage, "get_heartbeat_interval", None)
    return interval is not None and interval() is not None


def _fail(study: optuna.Study, trial: FrozenTrial, retries: int) -> bool:
    """Whether this call was the one that failed the trial."""
    tried = trial.user_attrs.get("retries", 0)
    if tried >= retries:
        reason = f"its worker died{'' if not tried else f', as {tried + 1} in all did'}: {_name(trial)}"
        study._storage.set_trial_user_attr(trial._trial_id, "reason", reason)
    ended = _end(study, trial)
    if ended and tried < retries:
        more = {"retry_of": trial.number, "retries": tried + 1}
        study.enqueue_trial(trial.params, user_attrs=more)
    return ended


def _end(study: optuna.Study, trial: FrozenTrial) -> bool:
    """Whether this call was the one that failed the trial."""
    try:
        return bool(study._storage.set_trial_state_values(trial._trial_id, state=TrialState.FAIL))
    except optuna.exceptions.UpdateFinishedTrialError:
        return False


def _is_dead(study: optuna.Study, trial: FrozenTrial) -> bool:
    worker = trial.user_attrs.get("worker")
    if worker is None:  # asked for a moment ago, or its worker died before it could say who it is
        return trial.datetime_start is not None and datetime.now() - trial.datetime_start > timedelta(minutes=1)
    if worker["host"] != socket.gethostname() or os.name != "posix":
        storage = study._storage
        return _keeps_heartbeats(storage) and trial._trial_id in storage._get_stale_trial_ids(study._study_id)
    try:
        os.kill(worker["pid"], 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return bool(worker["pid"] == os.getpid())  # a worker runs one trial at a time, and is not at one now


def _name(trial: FrozenTrial) -> str:
    worker = trial.user_attrs.get("worker") or {"host": "unknown", "pid": "unknown"}
    return f"process {worker['pid']} on {worker['host']}"
