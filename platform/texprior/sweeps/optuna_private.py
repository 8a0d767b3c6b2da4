"""Every use of Optuna's private names, in one place.

Optuna has heartbeats and failing of another worker's trial only inside of its own ``study.optimize``. Here several
workers ask and tell (ADR 8), so these few calls go past the public interface. A test holds them against the installed
version, and ``pyproject.toml`` bounds the versions.
"""

from __future__ import annotations

from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState


def keeps_heartbeats(study: optuna.Study) -> bool:
    """Returns whether the study's storage records heartbeats.

    Only a database that was opened with an interval for them does.
    """
    interval = getattr(_storage(study), "get_heartbeat_interval", None)
    return interval is not None and interval() is not None


def record_heartbeat(study: optuna.Study, trial: optuna.Trial) -> None:
    """Records in the database that the trial's worker is alive."""
    storage: Any = _storage(study)  # only storages with heartbeats have the method
    storage.record_heartbeat(trial._trial_id)


def has_missed_heartbeats(study: optuna.Study, trial: FrozenTrial) -> bool:
    """Whether the database has heard nothing of the trial's worker for its grace period."""
    storage: Any = _storage(study)
    return bool(trial._trial_id in storage._get_stale_trial_ids(study._study_id))


def set_trial_attribute(study: optuna.Study, trial: FrozenTrial, name: str, value: str) -> None:
    """Writes a user attribute of another worker's trial."""
    _storage(study).set_trial_user_attr(trial._trial_id, name, value)


def fail_trial(study: optuna.Study, trial: FrozenTrial) -> bool:
    """Marks a trial as failed; returns whether this call was the one that did it.

    ``study.tell`` would also fail a trial that has just ended by itself in another process.
    """
    try:
        return bool(_storage(study).set_trial_state_values(trial._trial_id, state=TrialState.FAIL))
    except optuna.exceptions.UpdateFinishedTrialError:
        return False


def _storage(study: optuna.Study) -> BaseStorage:
    return study._storage
