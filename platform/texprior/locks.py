"""Locks files, so that only one process at a time does a piece of work.

The operating system holds a lock for a process and releases it when the process ends, even if it is killed. Another
process can then do the work at once. Workers on several machines need a file system that supports locks. A file system
without locks is an error: a marker file in place of a lock would stay behind if its process is killed.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from texprior.errors import ConfigError

_NONE = (errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOLCK)
"""What a file system answers that has no locks; a network file system without its lock service says ENOLCK."""


def take_lock(path: Path, wait: bool = False) -> BaseFileLock | None:
    """Locks the file and returns the lock, which this process holds until it releases it or ends.

    Returns None if another process holds it; ``wait`` waits for that process. Raises ConfigError if the file system has
    no locks, or if the file cannot be written.
    """
    # protects the work that the path stands for; the file itself has no content
    lock = FileLock(_fitting(path), blocking=wait, fallback_to_soft=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        return None
    except OSError as error:
        raise ConfigError(_reason(path, error)) from None
    return lock


def _reason(path: Path, error: OSError) -> str:
    if error.errno not in _NONE:
        return f"{path}: this lock cannot be taken ({error.strerror or error})"
    return (
        f"{path}: its file system has no file locks ({error.strerror}), so two processes could do the same work at "
        "once; name a folder on another file system in TEXPRIOR_RUNS, or mount this one with locks (flock)"
    )


@contextmanager
def try_lock(path: Path) -> Iterator[bool]:
    """Tries to lock the file without waiting; returns whether it did.

    If it did, the lock is held until the block ends. Raises ConfigError if the file system has no locks.
    """
    lock = take_lock(path)
    try:
        yield lock is not None
    finally:
        if lock is not None:
            lock.release()


@contextmanager
def hold_lock(path: Path) -> Iterator[None]:
    """Waits for the file's lock and holds it until the block ends.

    Raises ConfigError if the file system has no locks.
    """
    lock = take_lock(path, wait=True)
    try:
        yield
    finally:
        if lock is not None:
            lock.release()


def is_locked(path: Path) -> bool:
    """Returns whether a process holds the file's lock."""
    if not _fitting(path).exists():
        return False
    # FileLock.is_locked knows only its own object, so try to take the lock, and release it at once
    with try_lock(path) as held:
        return not held


_LONGEST = 200
"""Bytes of a file's name. File systems allow 255, some encrypting ones fewer."""


def _fitting(path: Path) -> Path:
    """Returns the path with a name that fits every file system: a lock may be named by several long names together."""
    name = os.fsencode(path.name)
    return path if len(name) <= _LONGEST else path.with_name(f".{hashlib.sha256(name).hexdigest()}.lock")
