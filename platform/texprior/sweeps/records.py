"""What a sweep hands around: trials, their outcomes, and the finished study."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from texprior.config.schema import Experiment
from texprior.errors import TexpriorError
from texprior.evaluation.scores import Scores

Better = Literal["higher", "lower", "one"]
State = Literal["finished", "failed", "pruned", "interrupted", "duplicate", "running"]
COSTS: dict[str, Better] = {"trainable_parameters": "lower", "calls": "lower", "latency_s": "lower"}
"""What every trial measures beside the metrics: of the adapter, network calls and seconds a picture (of sampling)."""


@dataclass(frozen=True)
class AskedTrial:
    """A trial that Optuna asked for, as the objective sees it."""

    number: int
    experiment: Experiment
    """Resolved, with the trial's values in it."""
    report: Callable[[int, Mapping[str, float]], None] = lambda _images_seen, _values: None
    """Told the images seen and every summary metric at a rung; raises Pruned where the trial has no hope."""
    tracked_as: Callable[[str], None] = lambda _run: None
    """Told the run that tracks the trial."""


Objective = Callable[[AskedTrial], Mapping[str, float]]
"""A trial -> the mean of every summary metric."""


class Pruned(TexpriorError):
    """A trial was stopped at a rung, where others did better."""

    run_status = "pruned"


@dataclass(frozen=True)
class TrialRecord:
    """A trial: its parameters by dotted path, every summary metric, and the reason where it did not finish."""

    number: int
    params: Mapping[str, Any]
    values: Mapping[str, float]
    state: State
    reason: str = ""
    seconds: float = 0.0
    run: str = ""
    """The trial's run where it is tracked, if a tracker said."""


@dataclass(frozen=True)
class SweepResult:
    """All ended trials of a study, in order; ``best`` is None where none finished."""

    study: str
    storage: str
    objectives: Mapping[str, Better]
    """What is searched by, the restoration metric first, and the direction of each."""
    trials: list[TrialRecord] = field(default_factory=list)
    best: TrialRecord | None = None
    """Of the finished trials, the one that is best in the first objective."""
    front: list[TrialRecord] = field(default_factory=list)
    """The finished trials that no other is better than in every objective, by the first one."""


@dataclass(frozen=True)
class Confirmed:
    """A trial's configuration with fresh seeds: the first objective's mean and standard deviation over them."""

    trial: int
    seeds: list[int]
    values: list[float]
    mean: float
    deviation: float


@dataclass(frozen=True)
class StudyDone:
    """A finished study: its trials, and the best one's model with its scores on the split val."""

    study: str
    storage: str
    objectives: Mapping[str, Better]
    parent_run: dict[str, str]
    best: TrialRecord
    trials: list[TrialRecord]
    front: list[TrialRecord]
    confirmed: list[Confirmed]
    """Of the best trials, best first; empty where ``sweep.confirm.top`` is 0."""
    importance: dict[str, dict[str, float]]
    model: Path
    prior: Path
    predictor: Path
    scores: Scores
    broken: dict[str, str] = field(default_factory=dict)
    """Photographs that could not be read, and why."""
