"""Claims: one process at a time does a piece of work, whoever started it.

A claim is a lock that the operating system holds for a process: it ends with the process, however that ends, so that
what a killed worker had begun is free again at once. Workers on several machines need a file system that has locks.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


@contextmanager
def try_lock(path: Path) -> Iterator[bool]:
    """Whether the file's lock could be had; if so, it is held until the block ends."""
    path.parent.mkdir(parents=True, exist_ok=True)
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
    """Whether some process holds the file's lock."""
    if not path.exists():
        return False
    with try_lock(path) as held:
        return not held
