"""Shows a study's trials and who runs them, and frees trials whose worker nobody can see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import optuna
from optuna.trial import TrialState

from texprior.addresses import redact
from texprior.evaluation.metrics import with_metric_keys
from texprior.runtime.session import Session
from texprior.runtime.study_progress import StudyProgress
from texprior.sweeps.heartbeats import last_sign, worker_name
from texprior.sweeps.records import TrialRecord
from texprior.sweeps.retries import free_trial, retried_trials
from texprior.sweeps.storage import default_storage, name_storage_errors
from texprior.sweeps.study import count_trials, find_study, programs_of, record_of, study_name


@dataclass(frozen=True)
class TrialStatus:
    """A trial, and who runs it."""

    trial: TrialRecord
    holder: str
    """The worker of a running trial, in words; empty for any other trial."""
    sign: str
    """When that worker last showed that it lives, by its own clock."""
    repeated: bool
    """Whether another trial repeats this one, so that it does not count."""


@dataclass(frozen=True)
class StudyStatus:
    """What a study holds at this moment."""

    study: str
    storage: str
    counted: int
    """Trials that count for ``sweep.trials``: those that ended by themselves, and those that are running."""
    queued: int
    """Configurations that wait to be run again."""
    trials: list[TrialStatus]

    def progress(self, wanted: int) -> StudyProgress:
        """Returns how far the study is on its way to a number of trials, over all of its workers."""
        counting = [one.trial for one in self.trials if not one.repeated]
        running = sum(trial.state == "running" for trial in counting)
        failed = sum(trial.state == "failed" for trial in counting)
        ended = [trial for trial in counting if trial.state in ("finished", "pruned")]
        # a configuration in the queue is run again in place of one that does not count
        waiting = max(0, wanted - self.counted, self.queued)
        return StudyProgress("trials", len(ended), failed, running, waiting, [trial.seconds for trial in ended])


def study_status(session: Session, storage: str | None = None) -> StudyStatus:
    """Returns the trials of the experiment's study.

    Raises ConfigError if the storage cannot be used, or does not hold the study.
    """
    address, session = storage or default_storage(), with_metric_keys(session)
    with name_storage_errors(address):
        trials = _study(session, address).get_trials(deepcopy=False)
    again = retried_trials(trials)
    shown = []
    for trial in trials:
        if trial.state != TrialState.WAITING:
            running = trial.state == TrialState.RUNNING
            who = (worker_name(trial), last_sign(trial)) if running else ("", "")
            shown.append(TrialStatus(record_of(trial), *who, trial.number in again))
    name = study_name(session.experiment, programs_of(session))
    return StudyStatus(name, redact(address), count_trials(trials), len(trials) - len(shown), shown)


def free_trials(session: Session, numbers: Sequence[int], storage: str | None = None) -> list[str]:
    """Puts running trials back into the queue; returns who ran them, in words.

    Raises ConfigError for a trial that is not running, or whose worker is a process that runs on this host.
    """
    address, session = storage or default_storage(), with_metric_keys(session)
    with name_storage_errors(address):
        study = _study(session, address)
        return [f"trial {n} is taken from {worker_name(free_trial(study, n))}, and queued again" for n in numbers]


def _study(session: Session, address: str) -> optuna.Study:
    return find_study(study_name(session.experiment, programs_of(session)), address)
