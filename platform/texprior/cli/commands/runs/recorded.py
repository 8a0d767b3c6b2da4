"""Holds one run as an MLflow store has it."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow.entities import Run

RUN_ID, STAGE, STATUS = "texprior.run_id", "texprior.stage", "texprior.status"
NOTE, PARENT = "mlflow.note.content", "mlflow.parentRunId"
SHORT = 8
"""Characters of an id in tables: enough for the runs of one store, few enough to type."""


@dataclass(frozen=True)
class Recorded:
    """One run of a store, of texprior or of another program."""

    id: str
    """MLflow's id, 32 hexadecimal digits."""
    name: str
    experiment: str
    mlflow_status: str
    started_ms: int
    """Start, ms since 1970, UTC."""
    ended_ms: int | None
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    """The last value of each metric."""
    tags: Mapping[str, str]
    artifact_uri: str

    @classmethod
    def of(cls, run: Run, experiments: Mapping[str, str]) -> Recorded:
        """Returns MLflow's run, with the name of its experiment instead of the experiment's id."""
        info, data = run.info, run.data
        return cls(
            info.run_id,
            info.run_name or "",
            experiments.get(info.experiment_id, info.experiment_id),
            info.status,
            info.start_time or 0,
            info.end_time,
            data.params,
            data.metrics,
            data.tags,
            info.artifact_uri,
        )

    @property
    def kind(self) -> str:
        """What the run did, such as ``prior`` or ``evaluation``; empty for a run of another program."""
        return self.tags.get(STAGE, "")

    @property
    def folder_name(self) -> str:
        """The run's id in its experiment; for a training also the name of its folder."""
        return self.tags.get(RUN_ID, "")

    @property
    def status(self) -> str:
        """How the run ended: texprior's word if there is one, else MLflow's."""
        return self.tags.get(STATUS) or self.mlflow_status.lower()

    @property
    def note(self) -> str:
        return self.tags.get(NOTE, "")

    @property
    def own_tags(self) -> dict[str, str]:
        """The tags that neither texprior nor MLflow wrote."""
        return {key: value for key, value in self.tags.items() if not key.startswith(("texprior.", "mlflow."))}

    @property
    def started(self) -> str:
        """The start in UTC, to the second, as ISO 8601 has it."""
        return datetime.datetime.fromtimestamp(self.started_ms // 1000, datetime.UTC).isoformat()

    @property
    def duration_s(self) -> float | None:
        """Seconds from start to end; None if the run has not ended."""
        return None if self.ended_ms is None else (self.ended_ms - self.started_ms) / 1000

    def row(self) -> dict[str, Any]:
        """Returns what ``list --json`` says of the run."""
        return {
            "id": self.id,
            "name": self.name,
            "kind": self.kind,
            "experiment": self.experiment,
            "status": self.status,
            "started": self.started,
            "duration_s": self.duration_s,
            "folder_name": self.folder_name,
            "parent": self.tags.get(PARENT, ""),
            "tags": self.own_tags,
            "metrics": dict(self.metrics),
        }
