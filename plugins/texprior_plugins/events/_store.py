"""Connects to MLflow's store, and makes or upgrades an SQLite store so that no start and no kill can harm it.

MLflow's own migration takes seconds and many transactions, without a lock: two first runs spoil it for each other, and
a kill leaves half of it. Here one process does it, in one transaction. It calls functions of MLflow that are private;
``tests/plugins/events/test_store.py`` holds them against the installed version.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Collection
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from texprior.addresses import sqlite_address, sqlite_file
from texprior.errors import TexpriorError
from texprior.track.embedded import follow_move, lock_store

if TYPE_CHECKING:
    from mlflow import MlflowClient

log = logging.getLogger(__name__)
_WAIT_S = 60
"""Seconds to wait for another program that writes to the store."""


class _OneTransaction(sqlite3.Connection):
    """A connection that ignores what a library commits or rolls back, until ``COMMIT`` is executed."""

    def commit(self) -> None:
        """Does nothing."""

    def rollback(self) -> None:
        """Does nothing."""


def connect(address: str) -> MlflowClient:
    """Returns MLflow's client of a store. Makes, upgrades, mends or follows an SQLite store first.

    Raises TexpriorError if an SQLite store cannot be used, with the way out.
    """
    from mlflow import MlflowClient

    database = sqlite_file(address)
    if database is None:
        return MlflowClient(tracking_uri=address)
    with lock_store(database):
        prepare_store(database)
        follow_move(database)
        # the first client of a store also writes its default experiment
        return MlflowClient(tracking_uri=address)


def prepare_store(database: Path, within: Callable[[], None] = lambda: None) -> None:
    """Brings an SQLite store to the form of the installed MLflow: all of it or nothing, also if it is killed.

    A store that holds no run and cannot be brought there is half-made: it is set aside, and another one is made. Raises
    TexpriorError if it holds runs. Call it under ``lock_store``. ``within`` is called before the changes are committed.
    """
    head, known = _revisions()
    revision = _read(database, "SELECT version_num FROM alembic_version")
    if revision == head:
        return
    if revision and revision not in known:
        raise TexpriorError(f"{database}: a newer MLflow than the installed one made this store; upgrade mlflow")
    try:
        _migrate(database, within)
    except _migration_errors() as error:
        reason = str(error).splitlines()[0]
        if runs := _read(database, "SELECT count(*) FROM runs"):
            raise TexpriorError(
                f"{database}: this MLflow store is half-made and holds {runs} runs ({reason}); move the file to another"
                " place: the next run then makes a new store, and 'texprior runs resend' sends what was not recorded"
            ) from None
        if not _read(database, "SELECT count(*) FROM sqlite_master"):
            raise
        log.warning(
            "%s: half-made by an interrupted start (%s), set aside as %s", database, reason, _set_aside(database)
        )
        _migrate(database, within)


def _migrate(database: Path, within: Callable[[], None]) -> None:
    """Makes or upgrades the store's tables in one transaction."""
    from mlflow.store.db.utils import _initialize_tables
    from sqlalchemy import create_engine
    from sqlalchemy.pool import StaticPool

    factory = _OneTransaction
    with closing(sqlite3.connect(database, timeout=_WAIT_S, isolation_level=None, factory=factory)) as whole:
        whole.execute("BEGIN IMMEDIATE")
        for (leftover,) in whole.execute(
            "SELECT name FROM sqlite_master t WHERE name LIKE '\\_alembic\\_tmp\\_%' ESCAPE '\\' AND EXISTS"
            " (SELECT 1 FROM sqlite_master o WHERE o.name = substr(t.name, 14))"
        ).fetchall():
            whole.execute(f'DROP TABLE "{leftover}"')
        # Closing without COMMIT, also by a kill, leaves the file as it was.
        _initialize_tables(create_engine(sqlite_address(database), creator=lambda: whole, poolclass=StaticPool))
        within()
        whole.execute("COMMIT")


def _revisions() -> tuple[str, Collection[str]]:
    """Returns the newest revision of the installed MLflow's tables, and all that it knows."""
    from alembic.script import ScriptDirectory
    from mlflow.store.db.utils import _get_alembic_config

    scripts = ScriptDirectory.from_config(_get_alembic_config(""))
    return str(scripts.get_current_head()), {script.revision for script in scripts.walk_revisions()}


def _read(database: Path, query: str) -> str | int | None:
    """Returns the one value of a query; None if the store has no such table, or no file."""
    if not database.is_file():
        return None
    with closing(sqlite3.connect(database, timeout=_WAIT_S)) as connection:
        try:
            found: tuple[str | int] | None = connection.execute(query).fetchone()
        except sqlite3.OperationalError as error:
            if "no such table" not in str(error):
                raise
            return None
    return found[0] if found else None


def _migration_errors() -> tuple[type[Exception], ...]:
    from alembic.util import CommandError
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    return SQLAlchemyError, CommandError, MlflowException


def _set_aside(database: Path) -> Path:
    names = (database.with_name(f"{database.name}.half-made-{number}") for number in range(1, 1000))
    aside = next(name for name in names if not name.exists())
    database.rename(aside)
    return aside
