"""Defines the records of a sweep.

They are what is searched, trials and their outcomes, and the finished study.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from texprior.config.schema import Experiment
from texprior.errors import TexpriorError
from texprior.evaluation.scores import Scores
from texprior.registry import Registry
from texprior.runtime.notebook import data_frame, html_table

if TYPE_CHECKING:
    import pandas

Better = Literal["higher", "lower", "one"]
State = Literal["finished", "failed", "pruned", "interrupted", "duplicate", "running"]

COSTS: dict[str, Better] = {"trainable_parameters": "lower", "calls": "lower", "latency_s": "lower"}
"""What every trial measures besides the metrics: the adapter's parameters, network calls, seconds of sampling."""


@dataclass(frozen=True, kw_only=True)
class SweepSetup:
    """What every worker of a sweep has in common."""

    experiment: Experiment
    registry: Registry
    storage: str
    """The address of Optuna's storage."""
    objectives: Mapping[str, Better]
    """What is searched by and its directions; the restoration metric comes first."""
    trials: int | None = None
    """How many trials the study shall hold; None is ``sweep.trials``."""
    shared: Mapping[str, str] = field(default_factory=dict)
    """What all trials depend on, such as the hashes of prior and predictor."""
    programs: Sequence[str] = ()
    """The components that are not texprior's own, see ``study.programs_of``."""


@dataclass(frozen=True)
class AskedTrial:
    """A trial that Optuna asked for, as the objective sees it."""

    number: int
    experiment: Experiment
    """Resolved, with the trial's values in it."""
    report: Callable[[int, Mapping[str, float]], None] = lambda _images_seen, _values: None
    """Reports the images seen and every summary metric at a rung; raises Pruned if the trial shall stop."""
    tracked_as: Callable[[str], None] = lambda _run: None
    """Reports the run that tracks the trial."""


Objective = Callable[[AskedTrial], Mapping[str, float]]
"""Runs a trial and returns the mean of every summary metric."""


class Pruned(TexpriorError):
    """A trial was stopped at a rung, because other trials did better there."""

    run_status = "pruned"


@dataclass(frozen=True)
class TrialRecord:
    """A trial, with its parameters by dotted path.

    It also has every summary metric, and the reason if it did not finish.
    """

    number: int
    params: Mapping[str, Any]
    values: Mapping[str, float]
    state: State
    reason: str = ""
    seconds: float = 0.0
    run: str = ""
    """The id of the trial's run in the tracker, if a tracker reported one."""


@dataclass(frozen=True)
class SweepResult:
    """All ended trials of a study, in order."""

    study: str
    storage: str
    objectives: Mapping[str, Better]
    """What is searched by and its directions; the restoration metric comes first."""
    trials: list[TrialRecord] = field(default_factory=list)
    best: TrialRecord | None = None
    """The finished trial that is best in the first objective; None if no trial finished."""
    front: list[TrialRecord] = field(default_factory=list)
    """The finished trials that no other trial beats in every objective, sorted by the first one."""


@dataclass(frozen=True)
class Confirmed:
    """The results of a trial's configuration with fresh seeds."""

    trial: int
    seeds: list[int]
    values: list[float]
    """The first objective under each seed."""
    mean: float
    deviation: float
    """Standard deviation of the first objective over the seeds."""
    means: Mapping[str, float]
    """Every summary metric, averaged over the seeds."""


@dataclass(frozen=True, kw_only=True)
class StudyDone:
    """A finished study: its trials, and the best one's model and numbers."""

    study: str
    storage: str
    objectives: Mapping[str, Better]
    parent_run: dict[str, str]
    """Where the sweep's run is shown; empty without a tracker."""
    best: TrialRecord
    """The best trial. Its values are those of one training, which was selected among all and is flattered by that."""
    trials: list[TrialRecord]
    front: list[TrialRecord]
    confirmed: list[Confirmed]
    """The best trials with fresh seeds, best first; empty if ``sweep.confirm.top`` is 0."""
    importance: dict[str, dict[str, float]]
    model: Path
    prior: Path
    predictor: Path
    scores: Scores
    """Every score of ``model``, the selected training, on the split val."""
    metrics: Mapping[str, Mapping[str, float]]
    """Method -> metric -> mean on val: over the fresh seeds if the best trial was confirmed, else that of ``model``."""
    broken: dict[str, str] = field(default_factory=dict)
    """Photographs that could not be read, and why."""

    def __repr__(self) -> str:
        return f"StudyDone({self.study}: {len(self.trials)} trials, model {self.model})"

    def _repr_html_(self) -> str:
        """Shows the trials in a notebook, with their parameters and objectives."""
        columns = ["number", "state", *self._params(), *self.objectives]
        return html_table(repr(self), columns, self.to_pandas()[columns].itertuples(index=False))

    def to_pandas(self) -> pandas.DataFrame:
        """Returns a data frame with a row for each trial: number, state, seconds, its parameters, all its metrics."""
        params, metrics = self._params(), list(dict.fromkeys(name for t in self.trials for name in t.values))
        rows = [
            [t.number, t.state, t.seconds, *map(t.params.get, params), *(t.values.get(m, math.nan) for m in metrics)]
            for t in self.trials
        ]
        return data_frame(["number", "state", "seconds", *params, *metrics], rows)

    def _params(self) -> list[str]:
        return list(dict.fromkeys(path for trial in self.trials for path in trial.params))

    @property
    def values(self) -> Mapping[str, float]:
        """The best trial's summary metrics.

        They are means over the fresh seeds if the trial was confirmed, else the metrics of one training.
        """
        return self.confirmed[0].means if self.confirmed else self.best.values
