"""Knows where MLflow's UI shows a store, for the links that commands print."""

from __future__ import annotations

import contextlib
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from texprior.addresses import page_address
from texprior.digests import digest
from texprior.store import runs_root, write_atomically

HOST, PORT = "127.0.0.1", 5000
"""Where ``texprior ui`` serves if the user names no port. The server has no login: only this machine may reach it."""
_ANSWERS_S = 0.5
"""Time limit, s, for a connection to a server on this machine, which takes microseconds if there is one."""


@contextmanager
def announced(store: str, url: str) -> Iterator[None]:
    """Notes in the folder of the runs, while it lasts, that a UI serves the store at this address."""
    # a digest, because the address of a store may hold a password
    write_atomically(_note(), json.dumps({"store": digest(_absolute(store)), "url": url}).encode())
    try:
        yield
    finally:
        _note().unlink(missing_ok=True)


def ui_address(store: str) -> str:
    """Returns where a store is shown.

    This is the store itself if it is a server, else the UI that runs on it, else the one that ``texprior ui`` would
    start.
    """
    if store.startswith(("http://", "https://")):
        return page_address(store)
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        noted = json.loads(_note().read_text(encoding="utf-8"))
        if noted["store"] == digest(_absolute(store)) and _answers(noted["url"]):
            return str(noted["url"])
    return f"http://{HOST}:{PORT}"


def _note() -> Path:
    return runs_root() / "ui.json"


def _absolute(store: str) -> str:
    """The store's address, with an absolute path if it is a SQLite file, which may be named in several ways."""
    scheme, found, path = store.partition("sqlite:///")
    return f"sqlite:///{Path(path).resolve()}" if found and not scheme else store


def _answers(url: str) -> bool:
    # the note of a UI that was killed stays
    place = urlsplit(url)
    with socket.create_connection((place.hostname or HOST, place.port or PORT), timeout=_ANSWERS_S):
        return True
