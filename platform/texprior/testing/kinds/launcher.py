"""Checks the rules of launchers: it gives the component small works, and looks at what they leave behind."""

from __future__ import annotations

import os
import signal
import socket
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from texprior.flow.launch import Work
from texprior.testing.catalogue import USABLE, check
from texprior.testing.outcomes import NotRun, require
from texprior.testing.probe import PROBES, Probe, having
from texprior.testing.subject import Subject

PROBES["launcher"] = Probe(dict, lambda _component, _inputs: (), methods=having("run"))
CALM = (*USABLE, "launcher.runs", "launcher.separate")
"""Checks after which a work may kill the process that runs it: a launcher that works here would kill the kit."""


@dataclass
class Ran:
    """What a launcher returned, and which processes its works ran in."""

    returned: Any = None
    processes: dict[str, str] = field(default_factory=dict)
    """Name -> machine and number of the process, of the works that had got there when ``run`` returned."""


def _noting(file: Path, end: str = "pass") -> Work:
    # built-in functions alone, so that a process imports nothing for it and every kind of pickle takes it
    note = f"pathlib.Path({str(file)!r}).write_text(f'{{socket.gethostname()}} {{os.getpid()}}', encoding='utf-8')"
    return partial(exec, f"import os, pathlib, socket\n{note}\n{end}")


def _ran(subject: Subject, name: str, ends: Mapping[str, str]) -> Ran:
    """Gives works with these ends to a new launcher, once per subject and name."""
    if name not in subject.memory:
        # below the current folder, which another machine is more likely to share than the system's
        with tempfile.TemporaryDirectory(prefix="texprior-conformance-", dir=Path.cwd()) as folder:
            files = {work: Path(folder, work) for work in ends}
            works = {work: _noting(file, ends[work]) for work, file in files.items()}
            returned = subject.build().run(works, 1, None)
            done = {work: f.read_text(encoding="utf-8") for work, f in files.items() if f.is_file()}
        subject.memory[name] = Ran(returned, done)
    ran: Ran = subject.memory[name]
    return ran


def _three(subject: Subject) -> Ran:
    return _ran(subject, "three works", dict.fromkeys(("worker 1", "worker 2", "worker 3"), "pass"))


def _faulty(subject: Subject, end: str) -> Ran:
    if not hasattr(signal, "SIGKILL"):
        raise NotRun("this system cannot kill a process by a signal", lacking=True)
    return _ran(subject, end, {"worker 1": "pass", "worker 2": end, "worker 3": "pass"})


@check("launcher.runs", "launcher")
def runs(subject: Subject) -> None:
    """Three works are run to their ends before ``run`` returns, which returns an empty mapping.

    Fix: wait for every worker; return ``{}`` if none failed.
    """
    ran = _three(subject)
    missing = {"worker 1", "worker 2", "worker 3"} - ran.processes.keys()
    require(not missing, f"{', '.join(sorted(missing))} had not ended when run returned")
    require(isinstance(ran.returned, Mapping) and not ran.returned, f"it returns {ran.returned!r} though none failed")


@check("launcher.separate", "launcher", after=(*USABLE, "launcher.runs"))
def separate(subject: Subject) -> None:
    """Each work runs in a process of its own, because workers set threads, GPUs and folders for their whole process.

    Fix: start a process for each work, here or on another machine; do not call the works, or run them in threads.
    """
    processes = list(_three(subject).processes.values())
    require(f"{socket.gethostname()} {os.getpid()}" not in processes, "it runs works in this process")
    require(len(set(processes)) == len(processes), "it runs several works in one process")


@check("launcher.raises", "launcher", after=CALM)
def raises(subject: Subject) -> None:
    """If a work raises, its name is returned with a text of how it ended, and the others are done.

    Fix: look at the exit code of each worker; catch the exceptions that your scheduler raises for a failed task.
    """
    _require_named(_faulty(subject, "raise RuntimeError('on purpose')"), "raises")


@check("launcher.killed", "launcher", after=CALM)
def killed(subject: Subject) -> None:
    """If a worker is killed, as by a lack of memory, its name is returned with a text of how it ended, and the others
    are done.

    Fix: look at how each process ended, and not at a result that it should have written.
    """
    kill = f"import signal\nos.kill(os.getpid(), {int(getattr(signal, 'SIGKILL', 9))})"
    _require_named(_faulty(subject, kill), "is killed")


def _require_named(ran: Ran, what: str) -> None:
    returned = ran.returned
    require(isinstance(returned, Mapping), f"it returns {returned!r}")
    require(list(returned) == ["worker 2"], f"worker 2 {what}, and it returns {dict(returned)!r}")
    require(isinstance(returned["worker 2"], str) and returned["worker 2"], f"it says {returned['worker 2']!r} of it")
    missing: Sequence[str] = [name for name in ("worker 1", "worker 3") if name not in ran.processes]
    require(not missing, f"worker 2 {what}, and {', '.join(missing)} did not come to the end")
