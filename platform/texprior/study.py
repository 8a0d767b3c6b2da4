"""A sweep's study in Optuna's storage, which is the truth about trials: open, count, pick up, read."""

from __future__ import annotations

import os
import re
import socket
import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

import numpy as np
import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, BruteForceSampler, RandomSampler, TPESampler
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import IntegrityError

from texprior import space
from texprior.errors import ConfigError
from texprior.schema import Experiment
from texprior.store import runs_root

Better = Literal["higher", "lower", "one"]
State = Literal["finished", "failed", "pruned", "interrupted", "duplicate", "running"]
_FREE = frozenset({"name", "sweep", "device", "threads", "requires_plugins", "metrics", "events"})
"""What may differ between two starts of one study."""


@dataclass(frozen=True)
class TrialRecord:
    """A trial: its parameters by dotted path, every summary metric, and the reason where it did not finish."""

    number: int
    params: Mapping[str, Any]
    values: Mapping[str, float]
    state: State
    reason: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class SweepResult:
    """All ended trials of a study, in order; ``best`` is None where none finished."""

    study: str
    storage: str
    metric: str
    trials: list[TrialRecord] = field(default_factory=list)
    best: TrialRecord | None = None


def default_storage() -> str:
    """Optuna's storage where none is named: ``optuna.db`` beside the runs."""
    runs_root().mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{runs_root() / 'optuna.db'}"


def study_name(experiment: Experiment) -> str:
    """Experiment, space and metric: another space or metric is another study."""
    return f"{experiment.name}-{space.space_hash(experiment.sweep)}-{experiment.sweep.metric}"


def redacted(storage: str) -> str:
    """A storage's address without its password."""
    return re.sub(r"//([^:/@]*):.*@", r"//\1:***@", storage)


def result_of(study: optuna.Study, storage: str, metric: str) -> SweepResult:
    """What a study holds by now."""
    ended = [t for t in study.get_trials(deepcopy=False) if t.state.is_finished()]
    sign = 1 if study.direction == optuna.study.StudyDirection.MINIMIZE else -1
    finished = [t for t in ended if t.state == TrialState.COMPLETE]
    best = min(finished, key=lambda t: (sign * t.values[0], t.number), default=None)
    records = [record_of(t) for t in ended]
    return SweepResult(study.study_name, redacted(storage), metric, records, record_of(best) if best else None)


def record_of(trial: FrozenTrial) -> TrialRecord:
    """Optuna's trial in the platform's words. One that was never told a reason for its failure was interrupted."""
    attributes, reason = trial.user_attrs, trial.user_attrs.get("reason", "")
    state: State = "running"
    if trial.state == TrialState.COMPLETE:
        state = "duplicate" if "duplicate_of" in attributes else "finished"
    elif trial.state == TrialState.PRUNED:
        state = "pruned"
    elif trial.state == TrialState.FAIL:
        state = "failed" if reason else "interrupted"
    seconds = trial.duration.total_seconds() if trial.duration else 0.0
    return TrialRecord(trial.number, trial.params, attributes.get("values", {}), state, reason, seconds)


def open_study(
    experiment: Experiment, storage: str, better: Better, shared: Mapping[str, str] | None = None
) -> optuna.Study:
    """The experiment's study, new or as it was left. Raises ConfigError where it cannot be used.

    ``shared`` is what all its trials stand on, such as the hashes of prior and predictor; another one is refused.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    direction = "maximize" if better == "higher" else "minimize"
    for pause_s in (0.5, 1, 2, 4, None):
        try:
            connected = _connect(storage)
            name = study_name(experiment)
            study = optuna.create_study(storage=connected, study_name=name, direction=direction, load_if_exists=True)
            break
        except Exception as error:  # SQLAlchemy's, its drivers' and Optuna's have no common base
            if pause_s is None or not _is_race(error):
                raise ConfigError(_unusable(storage, error)) from None
            time.sleep(pause_s)
    _refuse_another(study, experiment, shared or {})
    return study


def _connect(storage: str) -> optuna.storages.RDBStorage:
    timeout = {"connect_args": {"timeout": 60}} if storage.startswith("sqlite:") else None
    return optuna.storages.RDBStorage(storage, engine_kwargs=timeout)


def _is_race(error: Exception) -> bool:
    """Whether another worker is making the tables at this moment: Optuna lets both try."""
    return isinstance(error, IntegrityError) or "already exists" in str(error)


def _unusable(storage: str, error: Exception) -> str:
    problem = (str(error).splitlines() or [type(error).__name__])[0]
    return (
        f"Optuna's storage {redacted(storage)} cannot be used: {problem}; give --storage an address such as "
        "sqlite:///sweep.db or postgresql+psycopg://user@host/database"
    )


def _refuse_another(study: optuna.Study, experiment: Experiment, shared: Mapping[str, str]) -> None:
    """Trials of a study are comparable: what is not searched must be what it was."""
    searched = experiment.sweep.space
    now = {p: v for p, v in _flat(experiment.model_dump(mode="json", exclude=set(_FREE))) if p not in searched}
    now |= shared
    then = study.user_attrs.get("experiment")
    if then is None:
        study.set_user_attr("experiment", now)
        return
    changed = sorted(p for p in {*now, *then} if now.get(p) != then.get(p))
    if changed:
        was = ", ".join(f"{p} was {then.get(p)} and is {now.get(p)}" for p in changed[:5])
        raise ConfigError(
            f"study {study.study_name} holds trials of another experiment: {was}; give this one another name"
        )


def _flat(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value:
        for key, below in value.items():
            yield from _flat(below, f"{prefix}.{key}" if prefix else key)
    else:
        yield prefix, value


def enqueue_own(study: optuna.Study, experiment: Experiment) -> None:
    """The experiment's own configuration is the first trial, where the space holds it."""
    own = space.default_values(experiment)
    if own and not study.get_trials(deepcopy=False):
        study.enqueue_trial(space.params_of(own), skip_if_exists=True)


def release_stale(study: optuna.Study) -> None:
    """Trials of a worker that is no more go back in the queue."""
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if not _is_alive(trial):
            study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)
            study.enqueue_trial(trial.params, user_attrs={"retry_of": trial.number})


def this_worker() -> dict[str, Any]:
    """Who runs a trial; written beside it, so that a worker's death is seen."""
    return {"host": socket.gethostname(), "pid": os.getpid()}


def _is_alive(trial: FrozenTrial) -> bool:
    """Whether a running trial's worker may be at it still; another host's is believed to be."""
    worker = trial.user_attrs.get("worker")
    if worker is None:
        return trial.datetime_start is not None and datetime.now() - trial.datetime_start < timedelta(minutes=1)
    if worker["host"] != socket.gethostname() or os.name != "posix":
        return True
    try:
        os.kill(worker["pid"], 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return bool(worker["pid"] != os.getpid())


def counted(study: optuna.Study) -> int:
    """Trials that ended by themselves, and those that are at work."""
    states = [record_of(t).state for t in study.get_trials(deepcopy=False) if t.state != TrialState.WAITING]
    return sum(state not in ("duplicate", "interrupted") for state in states)


class Keyed(BaseSampler):  # type: ignore[misc]
    """A sampler whose random numbers are a function of (seed, trial number): a resumed sweep goes on as it would have.

    ``how`` is ``model`` (TPE; options of different components are modelled in groups), ``untried`` (any configuration
    that is not in the study; the space must be discrete), or ``random``.
    """

    def __init__(self, seed: int, how: Literal["model", "untried", "random"]) -> None:
        self.seed, self.how = seed, how
        self._sampler: BaseSampler = RandomSampler(seed)

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Makes the sampler of this trial."""
        seed = int(np.random.SeedSequence([self.seed, trial.number]).generate_state(1)[0])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            if self.how == "model":
                self._sampler = TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True)
            else:
                self._sampler = (BruteForceSampler if self.how == "untried" else RandomSampler)(seed=seed)
        self._sampler.before_trial(study, trial)

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """Asks the trial's sampler."""
        found: dict[str, BaseDistribution] = self._sampler.infer_relative_search_space(study, trial)
        return found

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Asks the trial's sampler."""
        found: dict[str, Any] = self._sampler.sample_relative(study, trial, search_space)
        return found

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        """Asks the trial's sampler."""
        return self._sampler.sample_independent(study, trial, param_name, param_distribution)
