"""Undoes what a plugin changes in the process while it is loaded. Imports no torch.

A stranger's module may do anything when it is imported. Random numbers, the current folder and the output of a command
must not depend on which plugins are installed.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

_SLOW_S = 5.0
"""Seconds of loading above which a plugin is named: every command waits for it."""
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def contained(notes: list[str]) -> Iterator[None]:
    """Puts back what the block changes: current folder, random state, warning filters, signal handlers.

    What it prints goes to stderr, and if it ends the process, SystemExit is raised instead. Adds to ``notes`` what the
    user of the plugin should know.
    """
    started, had_torch, before, folder = time.monotonic(), "torch" in sys.modules, _random_states(), os.curdir
    with contextlib.suppress(OSError):
        folder = str(Path.cwd())
    with _signals(), warnings.catch_warnings(), _stdout_to_stderr(), _exit_raises():
        try:
            yield
        finally:
            if _moved_from(folder):
                notes.append("changed the current folder while it was loaded; this was undone")
            if _put_back(before):
                notes.append("seeded or drew global random numbers while it was loaded; this was undone")
            elapsed = time.monotonic() - started
            if not had_torch and "torch" in sys.modules:
                notes.append("imports torch while it is loaded, which makes every command slow")
            elif elapsed > _SLOW_S:
                notes.append(f"took {elapsed:.0f} s to load, and every command waits for it")


def _moved_from(folder: str) -> bool:
    """Goes back to a folder; returns whether it was left."""
    # the folder of the command may have been removed meanwhile
    with contextlib.suppress(OSError):
        if folder != os.curdir and str(Path.cwd()) != folder:
            os.chdir(folder)
            return True
    return False


def _random_states() -> dict[str, object]:
    """Returns the states of the global generators; those of numpy and torch only if they are imported."""
    states: dict[str, object] = {"random": random.getstate()}
    if "numpy.random" in sys.modules:
        states["numpy"] = sys.modules["numpy.random"].get_state(legacy=False)
    # a module that is being imported has no generator yet
    if hasattr(sys.modules.get("torch"), "get_rng_state"):
        states["torch"] = sys.modules["torch"].get_rng_state()
    return states


def _put_back(before: dict[str, object]) -> bool:
    """Restores the states of global generators; returns whether one had changed."""
    now = _random_states()
    changed = [name for name in before if repr(before[name]) != repr(now[name])]
    if "random" in changed:
        random.setstate(before["random"])  # type: ignore[arg-type]
    if "numpy" in changed:
        sys.modules["numpy.random"].set_state(before["numpy"])
    if "torch" in before:
        sys.modules["torch"].set_rng_state(before["torch"])
    return bool(changed)


@contextlib.contextmanager
def _signals() -> Iterator[None]:
    # Python allows only the main thread to set signal handlers
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            if signal.getsignal(number) is not handler and handler is not None:
                signal.signal(number, handler)


@contextlib.contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    """Sends to stderr what Python and other languages print to stdout, which may hold one JSON document."""
    streams, kept = (sys.stdout, sys.stderr), -1
    if sys.stdout is not None:
        sys.stdout.flush()
    with contextlib.suppress(OSError):
        kept = os.dup(1)
        os.dup2(2, 1)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        # a module may have replaced or closed them
        sys.stdout, sys.stderr = streams
        if kept >= 0:
            os.dup2(kept, 1)
            os.close(kept)


@contextlib.contextmanager
def _exit_raises() -> Iterator[None]:
    """Makes ``os._exit`` raise SystemExit in this process, so that one plugin cannot end a command without a word."""
    real, this = os._exit, os.getpid()

    def ends(status: int) -> NoReturn:
        # a child that the module has forked may end
        if os.getpid() != this:
            real(status)
        raise SystemExit(status)

    os._exit = ends
    try:
        yield
    finally:
        os._exit = real
