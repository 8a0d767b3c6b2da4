"""Finds the embedded MLflow store of a folder of runs, and keeps its addresses right if the folder is moved.

The store is an SQLite file, with the files of its runs in ``artifacts`` beside it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from texprior.addresses import checked_address, sqlite_address
from texprior.locks import hold_lock
from texprior.store import runs_root

log = logging.getLogger(__name__)
_RUN_TAG = "texprior.run_id"
"""The tag that every run of texprior has in MLflow."""
_ADDRESSES = (("runs", "artifact_uri"), ("logged_models", "artifact_location"))
"""MLflow's tables and columns that name a folder of files, besides those of experiments."""


def store_in_use() -> str:
    """Returns MLflow's address: MLFLOW_TRACKING_URI if set, else the database in the folder of the runs.

    Raises ConfigError if the address is that of another file than it seems to be.
    """
    given = os.environ.get("MLFLOW_TRACKING_URI")
    return checked_address(given) if given else sqlite_address(runs_root() / "mlflow.db")


def artifacts_of(database: Path) -> Path:
    """Returns the folder of the files of a store's runs."""
    return database.resolve().parent / "artifacts"


@contextmanager
def lock_store(database: Path) -> Iterator[None]:
    """Keeps other processes from making or changing the store until the block ends. Creates its folder.

    Raises ConfigError if the file system has no locks.
    """
    path = database.resolve()
    with hold_lock(path.parent / ".locks" / f"{path.name}.lock"):
        yield


def follow_move(database: Path) -> int:
    """Lets the addresses of files follow a store whose folder was moved or copied; returns how many it changed.

    An address follows if its files are here now, or are no longer where it says. Call it under ``lock_store``.
    """
    here = artifacts_of(database)
    with closing(sqlite3.connect(database, timeout=60)) as connection:
        changes = [change for old in _earlier_places(connection, here) for change in _changes(connection, old, here)]
        if changes:
            with connection:
                for table, column, old, new in changes:
                    connection.execute(f"UPDATE {table} SET {column} = ? WHERE {column} = ?", (new, old))
    if changes:
        log.warning("%s was moved: %d addresses of files now follow it", database, len(changes))
    return len(changes)


def _earlier_places(connection: sqlite3.Connection, here: Path) -> list[Path]:
    """Returns the other folders ``artifacts`` in which texprior's experiments have their files."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not {"experiments", "runs", "tags", "logged_models"} <= tables:
        return []
    # An experiment with runs of other programs alone may have its files where its owner wants them.
    found = connection.execute(
        "SELECT DISTINCT artifact_location FROM experiments e WHERE artifact_location LIKE 'file:%/artifacts' AND ("
        "NOT EXISTS (SELECT 1 FROM runs r WHERE r.experiment_id = e.experiment_id) OR EXISTS (SELECT 1 FROM runs r "
        "JOIN tags t ON t.run_uuid = r.run_uuid AND t.key = ? WHERE r.experiment_id = e.experiment_id))",
        (_RUN_TAG,),
    )
    places = [_path_of(address) for (address,) in found]
    return [place for place in places if place != here and not _is_same_folder(place, here)]


def _is_same_folder(a: Path, b: Path) -> bool:
    # A folder may be missing: the old one of a store that was moved, or the own one of a store whose first run found a
    # full disk. Then the folders above tell.
    for one, other in ((a, b), (a.parent, b.parent)):
        with contextlib.suppress(OSError):
            return one.samefile(other)
    return False


def _changes(connection: sqlite3.Connection, old: Path, here: Path) -> list[tuple[str, str, str, str]]:
    """Returns (table, column, address, new address) of what follows from an old place to this one."""
    root, changes = old.as_uri(), []
    for table, column in _ADDRESSES:
        rows = connection.execute(
            f"SELECT DISTINCT {column} FROM {table} WHERE substr({column}, 1, ?) = ?",
            (len(root) + 1, f"{root}/"),
        )
        for (address,) in rows:
            new = here.as_uri() + address[len(root) :]
            if _path_of(new).exists() or not _path_of(address).exists():
                changes.append((table, column, address, new))
    # New files of an experiment go where its old ones are.
    if changes or not old.exists():
        changes.append(("experiments", "artifact_location", root, here.as_uri()))
    return changes


def _path_of(address: str) -> Path:
    return Path(url2pathname(urlsplit(address).path))
