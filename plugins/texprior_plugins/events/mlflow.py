"""Implements the ``mlflow`` events component, which records runs in an MLflow store.

MLflow itself is imported when the first run starts, because the import takes 2.3 s. Every call names its run. The
fluent interface is not used, because its active run belongs to a thread.
"""

from __future__ import annotations

import getpass
import json
import logging
import math
import os
import re
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from texprior.addresses import checked_address, redact, sqlite_file
from texprior.errors import TexpriorError
from texprior.track import RunInfo, Status, Values
from texprior.track.embedded import artifacts_of, store_in_use
from texprior_plugins.events._form import as_key, as_text, chunks, cut, distinct, flattened, metrics_of

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric
    from torch import Tensor

    from texprior.track import DataInput
    from texprior_plugins.events import MlflowOptions

CONFIG, CHECKPOINT = "config.yaml", "checkpoint.safetensors"
RUN_ID, STAGE, STATUS, OWN_NOTE = "texprior.run_id", "texprior.stage", "texprior.status", "texprior.note"
NOTE, PARENT = "mlflow.note.content", "mlflow.parentRunId"
_ENDED: dict[Status, str] = {"finished": "FINISHED", "failed": "FAILED", "pruned": "KILLED", "interrupted": "KILLED"}
# Limits of MLflow's REST interface: metrics and parameters in one log_batch, and characters in a value.
_METRICS, _PARAMS = 1000, 100
_PARAM_LENGTH, _TAG_LENGTH = 6000, 8000
# A check of the server costs a connection. Twice a second finds a dead server soon and is not done for every value.
_LOOK_EVERY_S = 0.5
_WAIT = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "30", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3"}
"""How long a training waits for a server that does not answer: about two minutes. The user's own settings go first."""


@dataclass
class _Open:
    """A run that this process has started: its place in MLflow, and the values not yet written."""

    run_id: str
    experiment: str
    experiment_id: str
    note: str = ""
    """The user's note of an earlier start, which the description keeps if this start has none."""
    images_seen: int = 0
    pending: list[Metric] = field(default_factory=list)
    written: float = field(default_factory=time.monotonic)


class MlflowEvents:
    """Records runs, values, pictures and files in MLflow. Contract: ``texprior.track.Buffering``.

    MLflow's errors are passed on; the tracker keeps them away from the training.
    """

    def __init__(self, options: MlflowOptions) -> None:
        self.options = options
        self._runs: dict[str, _Open] = {}
        self._reached = -math.inf

    def run_started(self, run: RunInfo) -> None:
        """Creates the run in MLflow.

        Reopens the one with the same id if ``run.resume`` is set.
        """
        experiment_id = self._experiment_id(run.experiment)
        found = self._find(run.id, experiment_id) if run.resume else None

        # A finished run stays closed unless ``run.reopen`` is set.
        if found is not None and (run.reopen or found.info.status != "FINISHED"):
            note = "" if run.note else found.data.tags.get(OWN_NOTE, "")
            self._runs[run.id] = _Open(found.info.run_id, run.experiment, experiment_id, note)
            self._client.update_run(found.info.run_id, status="RUNNING")
            self._client.set_tag(found.info.run_id, STATUS, "running")
            # A trial that continues the training of a dead trial takes over its run, under its own parent.
            if run.parent:
                self._client.set_tag(found.info.run_id, PARENT, self._above(run, experiment_id))
            # The note describes how the run ended before; it will end again, perhaps in another way.
            if found.data.tags.get(NOTE):
                self._client.set_tag(found.info.run_id, NOTE, note)
            for key, value in _own_tags(run).items():
                self._client.set_tag(found.info.run_id, key, value)
            return

        made = self._client.create_run(experiment_id, run_name=run.name, tags=self._tags(run, experiment_id))
        self._runs[run.id] = _Open(made.info.run_id, run.experiment, experiment_id)
        self._log_params(made.info.run_id, run.params)
        self._log_data(made.info.run_id, run.data)
        if run.citations:
            self._client.log_text(made.info.run_id, run.citations, "citations.bib")

    def step(self, run_id: str, images_seen: int, metrics: Mapping[str, float]) -> None:
        """Buffers values, and writes them if the buffer is full or old enough."""
        # In an SQLite store, one log_batch writes thousands of values per second; single calls write 33.
        run = self._runs[run_id]
        run.images_seen = images_seen
        run.pending += metrics_of(images_seen, metrics)
        if len(run.pending) >= _METRICS or time.monotonic() - run.written >= self.options.flush_every_s:
            self._flush(run)

    def image(self, run_id: str, key: str, images_seen: int, image_CHW: Tensor) -> None:
        """Writes a picture, (3, H, W) in [0, 1], under a key."""
        levels = (image_CHW.detach().clamp(0, 1) * 255).round().byte()
        image_HWC = levels.permute(1, 2, 0).cpu().contiguous().numpy()
        name = re.sub(r"[^\w\-./ ]", "_", key, flags=re.ASCII)
        # Synchronous, so that an error is raised here and not lost in a thread of MLflow.
        self._client.log_image(self._runs[run_id].run_id, image_HWC, key=name, step=images_seen, synchronous=True)

    def artifact(self, run_id: str, path: Path) -> None:
        """Writes a file, a folder, or a trained prior or model as a logged model."""
        run = self._runs[run_id]
        if (path / CONFIG).is_file() and any(path.glob("*.safetensors")):
            self._log_model(run, path)
        elif path.is_dir():
            self._client.log_artifacts(run.run_id, str(path), artifact_path=path.name)
        else:
            self._client.log_artifact(run.run_id, str(path))

    def run_finished(self, run_id: str, status: Status, summary: Mapping[str, float], note: str) -> None:
        """Writes the buffered and final values and the note, and sets the run's status."""
        run = self._runs[run_id]
        self._flush(run)
        self._write(run.run_id, metrics_of(run.images_seen, summary))
        self._client.set_tag(run.run_id, STATUS, status)
        note = "\n\n".join(part for part in (run.note, note) if part)
        if note:
            self._client.set_tag(run.run_id, NOTE, cut(note, _TAG_LENGTH))
        # A tag holds a limited number of characters; the complete note is kept as a file of the run.
        if len(note) > _TAG_LENGTH:
            self._client.log_text(run.run_id, note, "note.md")
        self._client.set_terminated(run.run_id, _ENDED[status])

    def _log_model(self, run: _Open, folder: Path) -> None:
        """Writes a trained prior or model as a logged model of its run.

        The logged model has all files of the folder except the checkpoint.
        """
        from mlflow.entities import LoggedModelOutput

        # mlflow.pytorch.log_model wants its own file format and cannot store safetensors, so the files are added
        # to a logged model directly.
        made = self._client.create_logged_model(
            run.experiment_id, name=as_key(folder.name), source_run_id=run.run_id, model_type="texprior"
        )
        for file in sorted(folder.iterdir()):
            if file.is_file() and file.name != CHECKPOINT and not file.name.startswith("."):
                self._client.log_model_artifact(made.model_id, str(file))
        self._client.finalize_logged_model(made.model_id, "READY")
        self._client.log_outputs(run.run_id, [LoggedModelOutput(made.model_id, run.images_seen)])

    def _log_data(self, mlflow_id: str, data: Sequence[DataInput]) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        inputs = [
            DatasetInput(
                Dataset(d.name, d.digest, "local", d.source, profile=json.dumps({"pictures": d.pictures})),
                [InputTag("mlflow.data.context", d.context)],
            )
            for d in data
        ]
        if inputs:
            self._client.log_inputs(mlflow_id, inputs)

    def pending(self, run_id: str) -> Values:
        """Returns the values of ``step`` that are not written yet.

        They are (images seen, name -> value).
        """
        run = self._runs.get(run_id)
        return [(metric.step, {metric.key: metric.value}) for metric in run.pending] if run else []

    def where(self, run_id: str) -> Mapping[str, str]:
        """Returns where to find the run: MLflow's store, experiment and run id.

        The result is empty if the run is unknown.
        """
        if run_id not in self._runs:
            return {}
        run = self._runs[run_id]
        return {
            "tracking_uri": redact(self._tracking_uri),
            "experiment": run.experiment,
            "experiment_id": run.experiment_id,
            "run_id": run.run_id,
        }

    @cached_property
    def _tracking_uri(self) -> str:
        given = self.options.tracking_uri
        return checked_address(given) if given else store_in_use()

    @property
    def _client(self) -> MlflowClient:
        """MLflow's client, after a check that the server can be reached."""
        # Without the check, MLflow retries for minutes if the server is down.
        if time.monotonic() - self._reached > _LOOK_EVERY_S:
            _reach(self._tracking_uri)
            self._reached = time.monotonic()
        return self._connected

    @cached_property
    def _connected(self) -> MlflowClient:
        # MLflow reads these settings when it is imported.
        _set_up_quietly()
        from texprior_plugins.events._store import connect

        return connect(self._tracking_uri)

    def _experiment_id(self, name: str) -> str:
        """Returns the experiment's id. Creates the experiment if it is missing, restores it if it was deleted."""
        from mlflow.exceptions import MlflowException

        found = self._client.get_experiment_by_name(name)
        if found is None:
            # The files of an SQLite store are next to it; a server has its own place for them.
            database = sqlite_file(self._tracking_uri)
            location = artifacts_of(database).as_uri() if database is not None else None
            try:
                return str(self._client.create_experiment(name, artifact_location=location))
            except MlflowException as error:
                # Another worker may have created it since the first look.
                found = self._client.get_experiment_by_name(name)
                if found is None:
                    raise error
        if found.lifecycle_stage == "deleted":
            self._client.restore_experiment(found.experiment_id)
        return str(found.experiment_id)

    def _find(self, run_id: str, experiment_id: str) -> Any:
        """Returns the latest MLflow run with this run id, or None."""
        query = f"tags.`{RUN_ID}` = '{run_id}'"
        found = self._client.search_runs([experiment_id], query, max_results=1, order_by=["start_time DESC"])
        return found[0] if found else None

    def _tags(self, run: RunInfo, experiment_id: str) -> dict[str, str]:
        tags = {key: cut(str(value), _TAG_LENGTH) for key, value in run.tags.items()}
        tags |= {**_own_tags(run), RUN_ID: run.id, STAGE: run.stage, STATUS: "running"}
        # MLflow shows these tags in its own columns. Its commit must not have the mark of uncommitted changes.
        if "texprior.commit" in run.tags:
            tags["mlflow.source.git.commit"] = run.tags["texprior.commit"].rstrip("+")
        tags |= {"mlflow.source.name": "texprior", "mlflow.source.type": "LOCAL", "mlflow.user": _user()}
        if run.parent:
            tags[PARENT] = self._above(run, experiment_id)
        return tags

    def _above(self, run: RunInfo, experiment_id: str) -> str:
        """Returns MLflow's id of the parent run. Raises TexpriorError if it is not in the experiment."""
        above = self._runs.get(run.parent) or self._find(run.parent, experiment_id)
        if above is None:
            raise TexpriorError(f"run '{run.id}': its parent '{run.parent}' is not in experiment '{run.experiment}'")
        return str(above.run_id if isinstance(above, _Open) else above.info.run_id)

    def _log_params(self, mlflow_id: str, params: Mapping[str, Any]) -> None:
        from mlflow.entities import Param

        keyed = zip(distinct(name for name, _ in flattened(params)), flattened(params), strict=True)
        flat = [Param(key, cut(as_text(value), _PARAM_LENGTH)) for key, (_, value) in keyed]
        for some in chunks(flat, _PARAMS):
            self._client.log_batch(mlflow_id, params=some, synchronous=True)

    def _flush(self, run: _Open) -> None:
        """Writes the buffered values. If that fails, they stay in the buffer."""
        self._write(run.run_id, run.pending)
        run.pending, run.written = [], time.monotonic()

    def _write(self, mlflow_id: str, metrics: Sequence[Metric]) -> None:
        for some in chunks(metrics, _METRICS):
            self._client.log_batch(mlflow_id, metrics=some, synchronous=True)


def _set_up_quietly() -> None:
    """Switches off MLflow's telemetry and all its output except warnings; what the user has set stays."""
    # MLflow reads the variables at its first import. If it is imported already, only the loggers can be set.
    for name, value in _WAIT.items():
        os.environ.setdefault(name, value)
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    if "MLFLOW_LOGGING_LEVEL" not in os.environ:
        os.environ["MLFLOW_LOGGING_LEVEL"] = "WARNING"
        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)


def _reach(uri: str) -> None:
    """Raises TexpriorError at once if the server of an http address cannot be reached."""
    address = urlsplit(uri)
    # A file or database has no server.
    if address.scheme not in ("http", "https"):
        return
    host = address.hostname or "localhost"
    # Behind a proxy a direct connection proves nothing. NO_PROXY alone names no proxy, only who is reached without.
    if {address.scheme, "all"} & getproxies().keys() and not proxy_bypass(host):
        return
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        socket.create_connection((host, port), timeout=10).close()
    except OSError as error:
        place = f"{address.hostname}:{port}"
        raise TexpriorError(
            f"MLflow's server at {place} cannot be reached ({error}); "
            "start it, or correct tracking_uri or MLFLOW_TRACKING_URI"
        ) from None


def _own_tags(run: RunInfo) -> dict[str, str]:
    """Returns the user's own tags, and the note, which is there from the start: a killed run has no end."""
    note = {NOTE: run.note, OWN_NOTE: run.note} if run.note else {}
    return {key: cut(value, _TAG_LENGTH) for key, value in {**run.labels, **note}.items()}


def _user() -> str:
    try:
        return getpass.getuser()
    # In a container, the user's number may have no name.
    except (KeyError, OSError):
        return "unknown"
