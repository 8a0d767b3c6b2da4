"""Locks files, so that only one process at a time does a piece of work.

The operating system holds a lock for a process and releases it when the process ends, even if it is killed. Another
process can then do the work at once. Workers on several machines need a file system that supports locks.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


@contextmanager
def try_lock(path: Path) -> Iterator[bool]:
    """Tries to lock the file without waiting; returns whether it did.

    If it did, the lock is held until the block ends.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # protects the work that the path stands for; the file itself has no content
    lock = FileLock(path, blocking=False)
    try:
        lock.acquire()
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        lock.release()


@contextmanager
def hold_lock(path: Path) -> Iterator[None]:
    """Waits for the file's lock and holds it until the block ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path):
        yield


def is_locked(path: Path) -> bool:
    """Returns whether a process holds the file's lock."""
    if not path.exists():
        return False
    # FileLock.is_locked knows only its own object, so try to take the lock, and release it at once
    with try_lock(path) as held:
        return not held
