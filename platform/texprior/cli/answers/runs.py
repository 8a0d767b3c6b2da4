"""The answers of ``texprior runs``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from texprior.cli.answers.base import Answer, Part
from texprior.cli.commands.runs.result_tables import Value
from texprior.evaluation.scores import Mean
from texprior.sweeps.records import Better
from texprior.training.leftovers import Leftover


class ListedRun(Part):
    """A recorded run."""

    id: str
    """MLflow's id, 32 hexadecimal digits."""
    name: str
    kind: str
    """What the run did, such as ``prior``; empty for a run of another program."""
    experiment: str
    status: str
    """``running``, ``finished``, ``failed``, ``pruned`` or ``interrupted``."""
    started: str
    """UTC, ISO 8601."""
    duration_s: float
    """Seconds; null if the run has not ended."""
    folder_name: str
    """The run's id in its experiment; for a training the name of its folder."""
    parent: str
    """MLflow's id of the run above; empty if there is none."""
    tags: dict[str, str]
    """The user's own tags."""
    metrics: dict[str, float]
    """The last value of each metric."""


class Setting(Part):
    """A setting that is not the default."""

    path: str
    value: str | None
    default: str | None


class ShownRun(Answer, ListedRun):
    """A recorded run with its settings."""

    took: str
    children: int
    """Runs below it; at most 100 are counted."""
    folder: str
    """The folder of a training; empty if it is not here."""
    files: str
    """Where the tracker keeps the files of the run."""
    command: str
    commit: str
    settings: list[Setting]
    note: str
    """Markdown."""


class SettingDifference(Part):
    """A setting that differs; null if a side has no such setting."""

    path: str
    a: str | None
    b: str | None


class ComparedMetric(Part):
    """A metric of both sides."""

    better: Better
    a: Mean
    b: Mean
    difference: Mean
    """B minus A, picture by picture."""
    wins: int
    """Pictures on which B is better."""
    ties: int


class ComparedRow(Part):
    """Restored pictures of both sides."""

    a: str
    """The method of A."""
    b: str
    metrics: dict[str, ComparedMetric]


class CompareAnswer(Answer):
    """A comparison of two runs or folders."""

    a: str
    b: str
    settings: list[SettingDifference]
    same_inputs: bool | None
    """Whether both restored the same degraded pictures; null if a side has no scores."""
    rows: list[ComparedRow]
    sheet: Path | None
    """The sheet of crops; null if none was written."""


class ExportedTable(Part):
    """A table of results."""

    title: str
    labels: list[str]
    """The heads of the columns that name a row."""
    better: dict[str, str]
    """Column -> direction; empty if no value is better than another."""
    rows: list[tuple[list[str], dict[str, Value]]]
    """Labels, and column -> value."""


class TagAnswer(Answer):
    """The user's own tags of a run."""

    id: str
    tags: dict[str, str]


class NoteAnswer(Answer):
    """The whole note of a run."""

    id: str
    note: str


class DeleteAnswer(Answer):
    """The runs that were marked as deleted."""

    deleted: list[str]
    """Ids."""


class CleanAnswer(Answer):
    """What finished trainings left behind."""

    removable: list[Leftover]
    kept: list[Leftover]
    """What was looked at and stays."""
    bytes: int
    """Size of what is removable."""
    removed: list[Path]
    """Empty without --yes."""
    failed: dict[str, str]
    """What could not be removed: path -> reason."""


class UnsentFolder(Part):
    """A folder of events that a tracker could not record."""

    folder: Path
    component: dict[str, Any]
    """The tracker, as an experiment names it."""
    events: int
    runs: list[str]


class SentFolder(Part):
    """A folder of events that are recorded now."""

    folder: Path
    events: int
    runs: list[str]


class ResendAnswer(Answer):
    """Events that were sent again."""

    sent: list[SentFolder]
    failed: list[str]
    """A sentence for each folder that could not be sent."""
