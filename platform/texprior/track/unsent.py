"""Writes what a tracker could not record to a folder.

The folder has JSON lines and files. ``resend`` reads it back.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from filelock import BaseFileLock

from texprior.errors import TexpriorError
from texprior.locks import take_lock
from texprior.processes import this_process
from texprior.store import save_tensors
from texprior.track.observer import RunInfo

FOLDER, EVENTS = "unsent", "events.jsonl"
"""Name of the folder below the runs, and of the file of events in each of its subfolders."""
LOCK = "writer.lock"
"""Name of the file that the process holds locked that writes to the folder, and then the one that sends it."""
_NAMES = {"run_started": "run", "step": "value", "image": "picture", "artifact": "file", "run_finished": "end"}
"""Event -> what the user's message calls it."""
_WRITING: dict[Path, BaseFileLock] = {}
"""The folders that this process writes to, each with its lock, which ends with the process."""


def is_written_here(folder: Path) -> bool:
    """Returns whether this process writes to the folder."""
    return folder.resolve() in _WRITING


def remove_folder(folder: Path) -> None:
    """Removes a folder whose events are recorded."""
    shutil.rmtree(folder)
    if lock := _WRITING.pop(folder.resolve(), None):
        lock.release()


@dataclass
class Unsent:
    """The events that one tracker of this process could not record.

    The first event creates the folder. ``component`` is the tracker in the form in which an experiment names it, and
    ``plugins`` are the single files that it may come from.
    """

    root: Path
    component: Mapping[str, Any]
    plugins: Sequence[str] = ()
    folders: list[Path] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    runs: dict[str, RunInfo] = field(default_factory=dict)
    """The open runs. A second folder also begins with them, so that it can be sent without the first."""
    lost: str = ""
    """Why an event could not be stored on disk either; empty if all were."""

    def keep(self, event: str, run: RunInfo | str, *more: object) -> None:
        """Writes an event to the folder.

        Writes to a folder below the system's temporary folder if ``root`` cannot be written. Never raises for a failed
        write: the reason is then in ``lost``.
        """
        arguments: tuple[Any, ...] = (run, *more)
        try:
            # The last folder is gone if its events were sent meanwhile.
            ready = self.folders and self.folders[-1].is_dir()
            self._write(self.folders[-1] if ready else self._begin(self.root), event, arguments)
        except (OSError, TexpriorError):
            try:
                self._write(self._begin(Path(tempfile.gettempdir()) / f"texprior-{FOLDER}"), event, arguments)
            except (OSError, TexpriorError) as error:
                self.lost = str(error)
                return
        self.counts[_NAMES[event]] += len(arguments[2]) if event == "step" else 1
        if isinstance(run, RunInfo):
            self.runs[run.id] = run
        elif event == "run_finished":
            self.runs.pop(run, None)

    def sentences(self) -> list[str]:
        """Returns messages about what is stored, where, and how to send it.

        The result is empty if every event was recorded.
        """
        counts = ((self.counts[name], name) for name in _NAMES.values() if name not in ("run", "end"))
        kept = ", ".join(f"{n} {name}{'s' * (n != 1)}" for n, name in counts if n) or "the course of a run"
        places = " ".join(str(folder) for folder in self.folders)
        told = f"{kept} could not be recorded and are kept in {places}; 'texprior runs resend {places}' records them"
        lost = f"some events could be neither recorded nor stored on disk: {self.lost}"
        return [told] * bool(self.folders) + [lost] * bool(self.lost)

    def _begin(self, root: Path) -> Path:
        """Creates a folder below ``root`` and writes the tracker, this process and the open runs to it."""
        root.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=time.strftime("%Y%m%d-%H%M%S-"), dir=root))
        try:
            # Locked before its events can be seen, so that nobody sends and removes a folder that still grows.
            lock = take_lock(folder / LOCK)
            _append(folder / EVENTS, {"component": self.component, "plugins": self.plugins, **this_process()})
            for run in self.runs.values():
                self._write(folder, "run_started", (replace(run, resume=True),))
        # Without its first lines, nothing in the folder could be sent.
        except (OSError, TexpriorError):
            shutil.rmtree(folder, ignore_errors=True)
            raise
        if lock is not None:
            _WRITING[folder.resolve()] = lock
        self.folders.append(folder)
        return folder

    def _write(self, folder: Path, event: str, arguments: tuple[Any, ...]) -> None:
        line: dict[str, Any] = {"event": event}
        if event == "run_started":
            line["run"] = asdict(arguments[0])
        elif event == "step":
            line |= dict(zip(("run_id", "images_seen", "metrics"), arguments, strict=True))
        elif event == "image":
            name = _free(folder, ".safetensors")
            save_tensors(folder / name, {"image": arguments[3]})
            line |= {"run_id": arguments[0], "key": arguments[1], "images_seen": arguments[2], "file": name}
        elif event == "artifact":
            # A copy, because the original may change or be removed before the events are sent.
            source = Path(arguments[1])
            name = f"{_free(folder)}/{source.name}"
            _copy(source, folder / name)
            line |= {"run_id": arguments[0], "file": name}
        else:
            line |= dict(zip(("run_id", "status", "summary", "note"), arguments, strict=True))
        _append(folder / EVENTS, line)


# The file is closed after every line, so that a kill loses at most the line in progress.
def _append(path: Path, line: Mapping[str, Any]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, default=str) + "\n")


def _free(folder: Path, suffix: str = "") -> str:
    # Nothing is removed from a folder of events, so the number of its entries is a name that is still free.
    return f"{len(list(folder.iterdir())):04d}{suffix}"


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir()
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy2(source, target)
