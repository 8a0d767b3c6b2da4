"""Worker processes on this machine: started, waited for, interrupted and ended together."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any

from texprior.errors import TexpriorError


def run_processes(works: Mapping[str, Callable[[], None]]) -> dict[str, str]:
    """Runs each work in a process of this machine, by its name; says how those ended that did not end well.

    An interruption here is passed on to them once, and they end after saving.
    """
    context = multiprocessing.get_context("spawn")
    processes = {
        name: context.Process(target=_child, args=(work, name, os.getpid()), name=name) for name, work in works.items()
    }
    for process in processes.values():
        process.start()
    try:
        for process in processes.values():
            process.join()
    except BaseException:
        for process in processes.values():
            if process.is_alive():
                process.terminate()
        for process in processes.values():
            process.join(60)
        raise
    codes = {name: process.exitcode for name, process in processes.items() if process.exitcode}
    if codes and set(codes.values()) == {130}:
        raise KeyboardInterrupt
    return {name: _ended(code or 0) for name, code in codes.items()}


def _ended(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"


def _child(work: Callable[[], None], name: str, parent: int) -> None:
    """A local worker; it ends with its parent, as nobody would hear of its work."""
    if hasattr(os, "setsid"):  # a terminal's Ctrl-C reaches the parent alone, which passes it on: not twice
        os.setsid()
    signal.signal(signal.SIGTERM, _as_ctrl_c)
    _die_with(parent)
    try:
        work()
    except KeyboardInterrupt:
        sys.exit(130)
    except TexpriorError as error:
        print(f"{name}: {error}", file=sys.stderr, flush=True)  # noqa: T201
        sys.exit(error.exit_code)


def _as_ctrl_c(_number: int, _frame: Any) -> None:
    raise KeyboardInterrupt


def _die_with(parent: int) -> None:
    """A thread that interrupts this process when the one that started it is gone."""
    import threading
    import time

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(2)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()
