"""Opens an MLflow store that is already there, and reads its runs page by page.

Nothing here makes a store or changes its form: that is the tracker's work.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import click

from texprior.addresses import checked_address, redact, sqlite_address, sqlite_file
from texprior.cli.commands.runs.recorded import PARENT, Recorded
from texprior.cli.output import say
from texprior.errors import ConfigError, TexpriorError, suggest_name
from texprior.store import runs_root

if TYPE_CHECKING:
    from mlflow import MlflowClient

PAGE = 1000
"""Runs in one request to the store: MLflow's servers refuse much more."""
MANY = 100
"""Runs below a run that are counted: a store has no other way to count than to read them whole."""
_QUIETLY = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}
"""What MLflow reads at its import; the user's own settings go first."""

store_option = click.option(
    "--store", metavar="URI", help="MLflow's store; MLFLOW_TRACKING_URI, else mlflow.db of the runs, if not given."
)


@dataclass(frozen=True)
class Store:
    """An open MLflow store. What MLflow refuses becomes a TexpriorError."""

    address: str
    client: MlflowClient

    def __str__(self) -> str:
        return redact(self.address)

    @functools.cached_property
    def experiments(self) -> dict[str, str]:
        """The id of every experiment -> its name."""

        def page(token: str | None) -> Any:
            return self.client.search_experiments(max_results=PAGE, page_token=token)

        return {e.experiment_id: e.name for e in self._pages(page)}

    def experiment_id(self, name: str) -> str:
        """Returns an experiment's id. Raises ConfigError if it is not in the store."""
        ids = {own: id_ for id_, own in self.experiments.items()}
        if name not in ids:
            raise ConfigError(f"{self}: there is no experiment '{name}'; {suggest_name(name, ids)}")
        return ids[name]

    def search(
        self, query: str = "", experiment: str | None = None, limit: int = 0, deleted: bool = False
    ) -> Iterator[Recorded]:
        """Yields the runs that fit a query in MLflow's language, newest first; ``limit`` 0 is all of them.

        ``deleted`` yields those that are marked as deleted, instead of the others.
        """
        ids = [self.experiment_id(experiment)] if experiment else list(self.experiments)
        size = min(limit, PAGE) or PAGE

        def page(token: str | None) -> Any:
            # MLflow's ViewType: 1 active, 2 deleted
            return self.client.search_runs(ids, query, 1 + deleted, size, ["attributes.start_time DESC"], token)

        for count, run in enumerate(self._pages(page), 1):
            yield Recorded.of(run, self.experiments)
            if count == limit:
                return

    def metric_names(self, beginning: str) -> list[str] | None:
        """Returns the names of metrics that begin so; None if the store cannot say, which is so for a server."""
        database = sqlite_file(self.address)
        if database is None:
            return None
        with closing(_read_only(database)) as connection:
            found = connection.execute("SELECT DISTINCT key FROM latest_metrics WHERE key GLOB ?", (f"{beginning}*",))
            return [name for (name,) in found]

    def count_below(self, run: Recorded) -> int:
        """Returns how many runs are below a run; at most ``MANY`` are counted."""
        return sum(1 for _ in self.search(f"tags.`{PARENT}` = '{run.id}'", limit=MANY))

    def ask(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """Calls a function of MLflow. Raises TexpriorError with MLflow's words if it fails."""
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        try:
            return call(*arguments)
        # a store of files, such as S3, may need a package that is not installed
        except (MlflowException, SQLAlchemyError, OSError, ImportError) as error:
            reason = redact(" ".join(str(error).split()))[:300]
            raise TexpriorError(f"{self}: MLflow says: {reason}") from error

    def file_of(self, run: Recorded, name: str) -> Path | None:
        """Returns a file or folder of a run by its path in the run; None if the run has none."""
        root = urlsplit(run.artifact_uri)
        if root.scheme in ("", "file"):
            path = Path(url2pathname(root.path)) / name
            return path if path.exists() else None
        above, _, last = name.rpartition("/")
        found = self.ask(self.client.list_artifacts, run.id, above or None)
        if last and name not in [entry.path for entry in found]:
            return None
        # the files of a server are copied for as long as the command runs
        target = click.get_current_context().with_resource(tempfile.TemporaryDirectory(prefix="texprior-"))
        return Path(self.ask(self.client.download_artifacts, run.id, name, target))

    def folder_of(self, run: Recorded, file: str = "scores.csv") -> Path | None:
        """Returns the stored folder of a run that has a file of this name; None if there is none."""
        for entry in self.ask(self.client.list_artifacts, run.id):
            if entry.is_dir and entry.path != "images":
                names = [below.path for below in self.ask(self.client.list_artifacts, run.id, entry.path)]
                if f"{entry.path}/{file}" in names:
                    return self.file_of(run, entry.path)
        return None

    def _pages(self, page: Callable[[str | None], Any]) -> Iterator[Any]:
        token: str | None = None
        while True:
            found = self.ask(page, token)
            yield from found
            token = found.token
            if not token:
                return


def open_store(address: str | None) -> Store:
    """Opens the store at an address, or the one in use.

    Raises ConfigError if there is none, or if this is no store of the installed MLflow.
    """
    from texprior.track.embedded import store_in_use

    uri = checked_address(address) if address else store_in_use()
    for name, value in _QUIETLY.items():
        os.environ.setdefault(name, value)
    if address is None and (other := other_store(uri)):
        say(f"reads {uri}, which MLFLOW_TRACKING_URI names; the folder of the runs has another store: --store {other}")
    database = sqlite_file(uri)
    if database is not None:
        _require_store(database)
    from mlflow import MlflowClient

    try:
        return Store(uri, MlflowClient(tracking_uri=uri))
    # MLflow's registries of stores raise what they like, such as for a scheme that nobody knows
    except Exception as error:
        reason = redact(" ".join(str(error).split()))[:300]
        raise ConfigError(f"{redact(uri)}: this MLflow store cannot be opened: {reason}") from error


def other_store(uri: str) -> str:
    """Returns the address of the embedded store in the folder of the runs, if there is one and it is another."""
    embedded = runs_root() / "mlflow.db"
    opened = sqlite_file(uri)
    if not embedded.is_file() or (opened is not None and opened.exists() and opened.samefile(embedded)):
        return ""
    return sqlite_address(embedded)


def _require_store(database: Path) -> None:
    """Raises ConfigError if a file is no store in the form of the installed MLflow: MLflow would change it."""
    if not database.is_file():
        raise ConfigError(f"{database}: there are no runs yet; 'texprior demo' or any training makes this store")
    try:
        with closing(_read_only(database)) as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
            found = "experiments" in tables and connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error as error:
        raise ConfigError(f"{database}: this is no MLflow store ({error})") from None
    if not found:
        raise ConfigError(f"{database}: this is no MLflow store; it has the tables {', '.join(sorted(tables)[:5])}")
    from mlflow.store.db.utils import _get_latest_schema_revision

    if found[0] != _get_latest_schema_revision():
        raise ConfigError(
            f"{database}: another version of MLflow made this store; any run of texprior brings an older one to the "
            "form of the installed version, and a newer one needs a newer mlflow"
        )
    _follow_a_move(database)


def _read_only(database: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True, timeout=60)


def _follow_a_move(database: Path) -> None:
    """Lets the addresses of files follow a store that was moved; one that may only be read stays as it is."""
    from texprior.track.embedded import follow_move, lock_store

    with contextlib.suppress(OSError, sqlite3.Error, ConfigError), lock_store(database):
        follow_move(database)
