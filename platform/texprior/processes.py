"""Starts worker processes on this machine, waits for them, and passes an interruption on."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, NotRequired, TypedDict

from texprior.addresses import redact
from texprior.errors import TexpriorError
from texprior.streams import safe_streams

if TYPE_CHECKING:
    from concurrent.futures import ProcessPoolExecutor

_SAVE_S = 60
"""Seconds that an interrupted worker has to write its checkpoint before the parent stops waiting."""
_PARENT_POLL_S = 2
"""Seconds between two checks of a worker whether its parent still runs."""


class Process(TypedDict):
    """A process on some host, as it is written next to its work."""

    host: str
    pid: int
    boot: NotRequired[str]
    """The boot of its machine, and the namespace of its number; absent if the system does not tell."""
    started: NotRequired[str]
    """When it started, in ticks of that boot: a number that is used again belongs to another process."""


def this_process() -> Process:
    """Returns this process."""
    process: Process = {"host": socket.gethostname(), "pid": os.getpid()}
    started = _started(process["pid"])
    return {**process, "boot": _boot(), "started": started} if _boot() and started else process


def is_here(process: Process) -> bool:
    """Returns whether this process can find out if another one runs.

    It can if both run in one boot of one machine and see the same process numbers. Containers may have equal host names
    and different numbers. Without this knowledge, an equal host name must do.
    """
    # On Windows ``os.kill`` with signal 0 would end the process.
    if os.name != "posix":
        return False
    return process["boot"] == _boot() if "boot" in process else process["host"] == socket.gethostname()


def is_running(process: Process) -> bool:
    """Returns whether a process of this host runs.

    Returns False for a process of another host, which cannot be checked here.
    """
    if not is_here(process):
        return False
    try:
        os.kill(process["pid"], 0)  # signal 0 does nothing, but fails if there is no such process
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's process: it runs
        pass
    # if /proc does not show the process, its number is all that is known
    started = _started(process["pid"])
    return started is None or started == process.get("started", started or "ended")


def _started(pid: int) -> str | None:
    """When a process started, in ticks since the boot; empty if it has ended, None if the system does not tell."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # the name of the program comes in brackets and may contain anything; the state is the first field after it
    state, *rest = stat.rpartition(")")[2].split()
    # a zombie has ended, but its parent has not asked for its exit code yet
    return "" if state in "ZX" else rest[18]


@cache
def _boot() -> str:
    """The boot of this machine and this process's namespace of process numbers; empty if the system does not tell."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def usable_cpus() -> int:
    """Returns the number of processors that this process may use.

    A batch system or ``taskset`` may allow fewer than the machine has.
    """
    # not on macOS and Windows
    with contextlib.suppress(AttributeError):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def worker_threads(threads: int | None, workers: int) -> int:
    """Returns the threads of each of several local workers.

    These are as many as the experiment says for a process, or else an equal share of the usable processors.
    """
    return threads or max(1, usable_cpus() // workers)


def let_threads_sleep() -> None:
    """Lets threads that wait for work give their processor away, if the user did not choose otherwise.

    Call it before torch is imported; processes that are started afterwards inherit it. By default waiting threads of
    OpenMP keep a processor busy, which another process then lacks.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@contextmanager
def bare_start() -> Iterator[None]:
    """Lets processes start without running the user's script again, and with threads that sleep while they wait.

    A worker needs nothing of the script. One that trains outside of ``if __name__ == "__main__"`` would train again.
    """
    main, policy = sys.modules["__main__"], os.environ.get("OMP_WAIT_POLICY")
    sys.modules["__main__"] = ModuleType("__main__")
    let_threads_sleep()
    try:
        yield
    finally:
        sys.modules["__main__"] = main
        if policy is None:
            os.environ.pop("OMP_WAIT_POLICY", None)


def begin_in_pool(parent: int) -> None:
    """Starts a process of a pool: Ctrl-C is for its parent alone, and it ends with that."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with(parent)


def end_pool(pool: ProcessPoolExecutor) -> None:
    """Ends the processes of a pool at once, and waits until they have ended."""
    # private: before Python 3.14 nothing public ends a worker in the middle of a picture, which may take minutes
    processes = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()
    for process in processes:
        process.join()


def run_processes(works: Mapping[str, Callable[[], None]]) -> dict[str, str]:
    """Runs each work in a separate process and waits for all.

    Returns name -> how it ended, for the works that failed. An interruption of this process is passed on once, and the
    workers end after saving.
    """
    # imported here, since ``--help`` needs it not
    import multiprocessing

    # spawn, not fork: a forked copy of torch's threads and of an open CUDA context does not work
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
            process.join(_SAVE_S)
        raise
    codes = {name: process.exitcode for name, process in processes.items() if process.exitcode}
    if codes and set(codes.values()) == {130}:
        raise KeyboardInterrupt
    return {name: _ending(code or 0) for name, code in codes.items()}


def _ending(code: int) -> str:
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"


def _child(work: Callable[[], None], name: str, parent: int) -> None:
    """A local worker. It ends with its parent, because nobody else waits for its work."""
    if hasattr(os, "setsid"):
        # A terminal sends Ctrl-C to the whole group. The parent passes it on, so without this it would arrive twice.
        os.setsid()
    signal.signal(signal.SIGTERM, _interrupt)
    end_with(parent)
    with safe_streams():
        try:
            work()
        except KeyboardInterrupt:
            sys.exit(130)
        except TexpriorError as error:
            print(redact(f"{name}: {error}"), file=sys.stderr, flush=True)  # noqa: T201
            sys.exit(error.exit_code)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def end_with(parent: int) -> None:
    """Starts a thread that interrupts this process when its parent has ended."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_PARENT_POLL_S)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="parent", daemon=True).start()
