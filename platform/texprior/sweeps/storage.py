"""Connects to Optuna's storage, and says in a sentence what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import optuna
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from sqlalchemy.exc import SQLAlchemyError

from texprior.addresses import checked_address, redact, sqlite_address
from texprior.errors import TexpriorError
from texprior.store import runs_root
from texprior.sweeps.optuna_private import WholeLines

_SQLITE_WAIT_S = 60
"""Seconds that SQLite waits for another process's lock: several workers write to one file, and 5 s is its default."""
STORAGE_ERRORS = (SQLAlchemyError, optuna.exceptions.StorageInternalError)
"""What a storage raises that cannot be reached or written, besides OSError."""


def default_storage() -> str:
    """Returns the address of Optuna's storage if none is named.

    It is ``optuna.db`` in the folder of the runs.
    """
    runs_root().mkdir(parents=True, exist_ok=True)
    return sqlite_address(runs_root() / "optuna.db")


def connect(storage: str) -> BaseStorage:
    """Connects to Optuna's storage: ``journal:PATH``, SQLite, or another database.

    Raises the error of the storage's driver if it cannot, and ConfigError for an address of SQLite that names another
    file than it seems to.
    """
    kind, _, path = storage.partition(":")
    if kind == "journal":
        return JournalStorage(WholeLines(path.removeprefix("//")))
    if kind.partition("+")[0] == "sqlite":
        return RDBStorage(checked_address(storage), engine_kwargs={"connect_args": {"timeout": _SQLITE_WAIT_S}})
    return RDBStorage(storage, engine_kwargs={"pool_pre_ping": True})


@contextmanager
def name_storage_errors(storage: str) -> Iterator[None]:
    """Raises TexpriorError with a sentence if the storage fails in the middle of the work."""
    try:
        yield
    except BrokenPipeError:  # the reader of this command's output is gone
        raise
    except (*STORAGE_ERRORS, OSError) as error:
        problem = (str(error.__cause__ or error).splitlines() or [type(error).__name__])[0]
        raise TexpriorError(
            f"Optuna's storage {redact(storage)} failed: {redact(problem)}; run the same command again to continue"
        ) from error


def unusable_storage(storage: str, error: Exception) -> str:
    """Returns the message for a storage that cannot be used, without its password."""
    problem = (str(error).splitlines() or [type(error).__name__])[0]
    return (
        f"Optuna's storage {redact(storage)} cannot be used: {redact(problem)}; give --storage an address such as "
        "sqlite:///sweep.db, journal:sweep.log or postgresql+psycopg://user@host/database"
    )
