"""Shows that a trial's worker is alive, and finds out if another one's is not, without comparing clocks.

A worker counts its heartbeats in its trial. Whoever waits for the trial measures, by its own clock, for how long the
count has stood still. So neither a wrong clock nor a time zone of a host can make a living worker a dead one.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import optuna
from optuna.trial import FrozenTrial

from texprior.processes import is_here, is_running, this_process

log = logging.getLogger(__name__)
HEARTBEAT_S, GRACE_S = 20.0, 180.0
"""Seconds between a worker's heartbeats, and seconds without one after which it counts as dead.

The grace covers eight missed heartbeats: a storage that is away for two minutes kills no worker.
"""
WORKER, BEAT = "worker", "beat"
"""The trial's attributes with the process that runs it, and with its count of heartbeats and the time of the latest."""


@contextmanager
def send_heartbeats(trial: optuna.Trial) -> Iterator[None]:
    """Counts a heartbeat of this trial's worker every ``HEARTBEAT_S``, while the block runs."""
    ended = threading.Event()

    def beat() -> None:
        count = 0
        while not ended.wait(HEARTBEAT_S):
            count += 1
            try:
                trial.set_user_attr(BEAT, {"count": count, "utc": _now()})
            except optuna.exceptions.UpdateFinishedTrialError:
                log.warning("trial %d was taken from this worker; its configuration is run again", trial.number)
                return
            except Exception as error:  # a storage that is away for a moment has not ended the trial
                log.warning("trial %d: no heartbeat could be recorded: %s", trial.number, error)

    thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def name_worker(trial: optuna.Trial) -> None:
    """Writes into a trial which process runs it, and since when by that process's clock, for people."""
    trial.set_user_attr(WORKER, {**this_process(), "utc": _now()})


@dataclass
class Watch:
    """What one process has seen of the running trials' heartbeats."""

    _seen: dict[int, tuple[object, float]] = field(default_factory=dict)
    """Trial -> its latest sign of life, and when it was first seen, by this process's steady clock."""

    def is_dead(self, trial: FrozenTrial) -> bool:
        """Returns whether a running trial's worker is dead.

        A worker whose process can be seen from here is dead if the process is. Any other is dead if its heartbeats have
        stood still for ``GRACE_S`` while this process watched.
        """
        worker = trial.user_attrs.get(WORKER)
        silent = self._silent_s(trial) > GRACE_S
        if worker is None or not is_here(worker):
            return silent
        # a worker runs one trial at a time, and this process runs none at the moment: its own older trial is dead too
        if not is_running(worker) or worker.items() >= this_process().items():
            return True
        # if the start of the process is not known, another process may have its number
        return silent and "started" not in worker

    def _silent_s(self, trial: FrozenTrial) -> float:
        sign, now = [trial.user_attrs.get(WORKER), trial.user_attrs.get(BEAT)], time.monotonic()
        if trial.number not in self._seen or self._seen[trial.number][0] != sign:
            self._seen[trial.number] = (sign, now)
        return now - self._seen[trial.number][1]


def worker_name(trial: FrozenTrial) -> str:
    """Returns who runs a trial, in words."""
    worker = trial.user_attrs.get(WORKER)
    return f"process {worker['pid']} on {worker['host']}" if worker else "a worker that has not said who it is"


def last_sign(trial: FrozenTrial) -> str:
    """Returns when a trial's worker last showed that it lives, in words, by that worker's own clock."""
    sign = trial.user_attrs.get(BEAT) or trial.user_attrs.get(WORKER, {})
    if "utc" not in sign:  # a worker of an earlier version
        return "no sign of life"
    age_s = max(0, round((datetime.now(UTC) - datetime.fromisoformat(sign["utc"])).total_seconds()))
    return f"last sign of life {age_s} s ago"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
