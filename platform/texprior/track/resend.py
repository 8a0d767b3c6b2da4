"""Reads the folders that ``unsent`` wrote and sends their events to the tracker again."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from texprior.errors import ConfigError
from texprior.locks import try_lock
from texprior.processes import Process, is_here, is_running
from texprior.store import load_tensors, write_atomically
from texprior.track.observer import DataInput, Observer, RunInfo, pending_of
from texprior.track.unsent import EVENTS, FOLDER, LOCK, is_written_here, remove_folder

log = logging.getLogger(__name__)
SENT = "sent"
"""Name of the file with the number of a folder's events that are already recorded."""


@dataclass(frozen=True)
class UnsentFolder:
    """The content of a folder of unsent events."""

    folder: Path
    component: Mapping[str, Any]
    """The tracker, in the form in which an experiment names it."""
    plugins: Sequence[str]
    """The single-file plugins that the tracker may come from."""
    lines: Sequence[Mapping[str, Any]]
    """The events, in order."""
    worker: Process
    """The process that wrote the folder."""

    @contextmanager
    def claim(self) -> Iterator[None]:
        """Keeps the writer of the folder and other senders out until the block ends.

        Raises ConfigError if its writer still runs, on any host, or if another command sends it.
        """
        if is_written_here(self.folder):
            yield
            return
        self._require_lock()
        with try_lock(self.folder / LOCK) as held:
            if not held:
                writer = f"process {self.worker['pid']} of {self.worker['host']}"
                raise ConfigError(
                    f"{self.folder}: {writer} still writes to this folder, or another command sends it; "
                    "wait until it ends"
                )
            yield

    def _require_lock(self) -> None:
        """Raises ConfigError if the folder has no lock, as in earlier versions, and its writer may still run."""
        if (self.folder / LOCK).exists() or (is_here(self.worker) and not is_running(self.worker)):
            return
        if is_here(self.worker):
            raise ConfigError(
                f"{self.folder}: process {self.worker['pid']} is still writing to this folder; wait until it ends"
            )
        raise ConfigError(
            f"{self.folder}: whether process {self.worker['pid']} of {self.worker['host']} still writes to this folder "
            f"cannot be seen from here; run this command on {self.worker['host']}, or make the empty file "
            f"{self.folder / LOCK} if that process has ended"
        )


def unsent_folders(root: Path) -> list[Path]:
    """Returns the folders of unsent events below a folder of runs, the oldest first."""
    # Their names begin with date and time, so the order of names is that of age.
    return sorted(path.parent for path in (root / FOLDER).glob(f"*/{EVENTS}"))


def read_unsent(folder: Path) -> UnsentFolder:
    """Reads a folder of unsent events. Raises ConfigError if it is not one.

    A line that was cut off when its process was killed is skipped with a warning.
    """
    try:
        text = (folder / EVENTS).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{folder}: this is not a folder of unsent events ({error})") from None

    lines = []
    for line in text.splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            log.warning("%s: skipped a broken line", folder / EVENTS)

    # The first line names the tracker: without it nobody knows where the events belong.
    if not lines or "component" not in lines[0]:
        raise ConfigError(f"{folder}: this is not a folder of unsent events; {EVENTS} does not name its tracker")
    head = lines[0]
    worker = cast("Process", {key: head[key] for key in Process.__annotations__ if key in head})
    return UnsentFolder(folder, head["component"], head["plugins"], lines[1:], worker)


def resend_events(kept: UnsentFolder, observer: Observer) -> int:
    """Sends all stored events to a tracker and removes the folder.

    Returns the number of events. Any exception of the tracker is raised. The next call does not send again what was
    recorded before it. Raises ConfigError if the folder's writer still runs, or if another command sends it.
    """
    # Another command may have sent it since it was read.
    if not kept.folder.is_dir():
        return 0
    with kept.claim():
        # What was read before the claim may have grown or gone since.
        if not (kept.folder / EVENTS).is_file():
            remove_folder(kept.folder)
            return 0
        return _send(read_unsent(kept.folder), observer)


def _send(kept: UnsentFolder, observer: Observer) -> int:
    # The file ``sent`` exists from the first attempt on, so a later attempt knows that runs may exist in the tracker.
    progress = kept.folder / SENT
    again = progress.is_file()
    done = int(progress.read_text()) if again else 0
    write_atomically(progress, str(done).encode())

    # A tracker in a new process has no open runs: runs that began but did not end must be started again before the
    # rest of their events can be sent.
    ended = {line["run_id"] for line in kept.lines[:done] if line["event"] == "run_finished"}
    started: list[str] = []
    for number, line in enumerate(kept.lines):
        if line["event"] == "run_started" and line["run"]["id"] not in ended:
            started.append(line["run"]["id"])
        elif number < done:
            continue
        method, arguments = _call(kept.folder, line, again)
        getattr(observer, method)(*arguments)
        # A value that the tracker still buffers is not recorded yet and would be lost if this process died.
        if number >= done and not any(pending_of(observer, run) for run in started):
            write_atomically(progress, str(number + 1).encode())
    remove_folder(kept.folder)
    return len(kept.lines)


def _call(folder: Path, line: Mapping[str, Any], again: bool) -> tuple[str, tuple[Any, ...]]:
    """Converts a line to the name of the observer's method and its arguments.

    If ``again`` is true, the tracker resumes a run that an earlier attempt may have started.
    """
    event = str(line["event"])
    if event == "run_started":
        run = RunInfo(**line["run"])
        run = replace(run, data=tuple(DataInput(**d) for d in line["run"].get("data", ())))
        return event, (replace(run, resume=True) if again else run,)
    if event == "step":
        return event, (line["run_id"], line["images_seen"], line["metrics"])
    if event == "image":
        image = load_tensors(folder / line["file"])[0]["image"]
        return event, (line["run_id"], line["key"], line["images_seen"], image)
    if event == "artifact":
        return event, (line["run_id"], folder / line["file"])
    return event, (line["run_id"], line["status"], line["summary"], line["note"])
