"""The answers of demo, sweep and ablate."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from texprior.ablations.comparison import ArmScore
from texprior.ablations.status import CellStatus
from texprior.cli.answers.base import Answer, Part
from texprior.cli.answers.trainings import DryRun
from texprior.runtime.study_progress import StudyProgress
from texprior.sweeps.records import Better, Confirmed, TrialRecord
from texprior.sweeps.status import TrialStatus


class DemoAnswer(Answer):
    """What the demo trained and scored."""

    prior: Path
    model: Path
    tracking_uri: str
    experiment: str
    parent_run: str
    """MLflow's id of the run above all others."""
    pictures: list[Path]
    """Contact sheets."""
    metrics: dict[str, dict[str, float]]
    """Method -> metric -> mean over the pictures."""
    better: dict[str, Better]


class SweepAnswer(Answer):
    """A finished study."""

    study: str
    storage: str
    objectives: dict[str, Better]
    """What is searched by; the restoration metric comes first."""
    parent_run: dict[str, str]
    """Where the sweep's run is shown; empty without a tracker."""
    best: TrialRecord
    trials: list[TrialRecord]
    front: list[TrialRecord]
    """The finished trials that no other trial beats in every objective."""
    confirmed: list[Confirmed]
    """The best trials with fresh seeds, best first."""
    importance: dict[str, dict[str, float]]
    """Group of parameters -> path -> share."""
    model: Path
    prior: Path
    predictor: Path
    metrics: dict[str, dict[str, float]]
    """Method -> metric -> mean on val, over the fresh seeds if the best trial was confirmed."""
    broken: dict[str, str]
    """Photographs that could not be read: key -> reason."""
    compare: str
    """Address of MLflow's page that compares the trials; empty without one."""
    compare_alike: str
    """The same for the trials with the best one's components."""
    methods: dict[str, dict[str, float]]
    """Degraded pictures, predictor and best trial -> metric -> mean on val."""
    warning: str
    """Not empty if the best trial is worse than its predictor."""
    selected: dict[str, dict[str, float]]
    """Method -> metric -> mean of the training that was selected."""


class SweepStatusAnswer(Answer):
    """A study at this moment."""

    study: str
    storage: str
    counted: int
    """Trials that count for ``sweep.trials``."""
    queued: int
    """Configurations that wait to be run again."""
    trials: list[TrialStatus]
    progress: StudyProgress
    left_s: float
    """Expected seconds until all have ended; null if that is not known."""


class AblateStatusAnswer(Answer):
    """An ablation at this moment."""

    ablation: str
    """The digest of the ablation."""
    progress: StudyProgress
    left_s: float
    """Expected seconds until all have ended; null if that is not known."""
    cells: list[CellStatus]


class PlannedCell(Part):
    """A cell of a dry run."""

    arm: str
    seed: int
    status: Literal["finished", "failed", "pending"]
    folder: Path


class AblateDryRun(DryRun):
    """What an ablation would train here."""

    ablation: str
    """The digest of the ablation."""
    arms: dict[str, dict[str, Any]]
    """Arm -> path -> value."""
    budgets: dict[str, dict[str, int]]
    """Arm -> path -> budget in images that it was given for equal compute."""
    baseline: str
    cells: list[PlannedCell]


class AblateAnswer(Answer):
    """A finished ablation, or with --report what has ended of it."""

    ablation: str
    """The digest of the ablation."""
    folder: Path
    report: Path
    """The page report.html."""
    answer: str
    """The answer to the question, in a sentence."""
    caveats: list[str]
    metric: str
    """The metric that ranks the arms."""
    baseline: str
    better: dict[str, Better]
    arms: dict[str, dict[str, Any]]
    """Arm -> path -> value."""
    budgets: dict[str, dict[str, int]]
    """Arm -> path -> budget in images that it was given for equal compute."""
    compute: dict[str, dict[str, float]]
    """Arm -> training -> FLOPs, for the arms whose cells know them."""
    ranking: list[str]
    """The arms, best first."""
    table: dict[str, dict[str, ArmScore]]
    """Metric -> arm -> its row."""
    pictures: dict[str, list[str]]
    """Metric -> the pictures that all arms have a score for."""
    cells: list[dict[str, Any]]
    """The cells that have ended: arm, seed, folder, and the content of their cell.json."""
    run: dict[str, str]
    """Where the ablation's run is shown; empty without a tracker."""
    compare: str
    """Address of MLflow's page that compares the arms; empty without one."""
    report_address: str
    """Address of the report inside MLflow; empty without one."""
    broken: dict[str, str]
    """Pictures that could not be read: key -> reason."""
