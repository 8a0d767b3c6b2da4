"""Every use of Optuna's private names, in one place.

Optuna fails another worker's trial only inside of its own ``study.optimize``. Here several workers ask and tell
(ADR 8), so these few calls go past the public interface. A test holds them against the installed version, and
``pyproject.toml`` bounds the versions.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.storages.journal import JournalFileBackend
from optuna.storages.journal._file import get_lock_file
from optuna.trial import FrozenTrial, TrialState

_LONGEST_LINE = 1 << 20
"""Bytes at the end of a journal in which its last whole line ends: a line is one change of one trial."""


def set_trial_attribute(study: optuna.Study, trial: FrozenTrial, name: str, value: object) -> bool:
    """Writes a user attribute of another worker's trial; returns whether the trial had not ended."""
    try:
        _storage(study).set_trial_user_attr(trial._trial_id, name, value)
    except optuna.exceptions.UpdateFinishedTrialError:
        return False
    return True


def fail_trial(study: optuna.Study, trial: FrozenTrial) -> bool:
    """Marks a trial as failed; returns whether this call was the one that did it.

    ``study.tell`` would also fail a trial that has just ended by itself in another process.
    """
    try:
        return bool(_storage(study).set_trial_state_values(trial._trial_id, state=TrialState.FAIL))
    except optuna.exceptions.UpdateFinishedTrialError:
        return False


class WholeLines(JournalFileBackend):  # type: ignore[misc]
    """A journal that stays readable after a process was killed, or the disk was full, in the middle of a line.

    Optuna would append to what is left of the line, and could read nothing after it.
    """

    def append_logs(self, logs: list[dict[str, Any]]) -> None:
        """Cuts off what is left of a line, then appends."""
        # the lock protects the line that another process is writing at this moment
        with get_lock_file(self._lock):
            self._cut_broken_line()
        super().append_logs(logs)

    def _cut_broken_line(self) -> None:
        with Path(self._file_path).open("r+b") as file:
            size = file.seek(0, os.SEEK_END)
            start = max(0, size - _LONGEST_LINE)
            file.seek(start)
            end = start + file.read().rfind(b"\n") + 1
            if end < size:
                file.truncate(end)


def _storage(study: optuna.Study) -> BaseStorage:
    return study._storage
