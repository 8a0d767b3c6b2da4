"""Sending what a tracker could not record: the folders that ``unsent`` wrote, read back and told to it again."""

from __future__ import annotations

import json
import logging
import os
import shutil
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from texprior.errors import ConfigError
from texprior.store import load_tensors, write_atomically
from texprior.track.observer import DataInput, Observer, RunInfo, pending_of
from texprior.track.unsent import EVENTS, FOLDER

log = logging.getLogger(__name__)
SENT = "sent"
"""The file that says how many events of a folder are recorded by now."""


@dataclass(frozen=True)
class UnsentFolder:
    """A folder of unsent events as it is read back."""

    folder: Path
    component: Mapping[str, Any]
    plugins: Sequence[str]
    lines: Sequence[Mapping[str, Any]]
    worker: Mapping[str, Any]

    def require_idle(self) -> None:
        """Raises ConfigError where the process that writes here is at work still."""
        if self.worker["host"] != socket.gethostname() or self.worker["pid"] == os.getpid() or os.name != "posix":
            return
        try:
            os.kill(self.worker["pid"], 0)
        except OSError:
            return
        raise ConfigError(f"{self.folder}: process {self.worker['pid']} is still writing here; wait for its end")


def unsent_folders(root: Path) -> list[Path]:
    """The folders of unsent events below a folder of runs, the oldest first."""
    return sorted(path.parent for path in (root / FOLDER).glob(f"*/{EVENTS}"))


def read_unsent(folder: Path) -> UnsentFolder:
    """What a folder holds. Raises ConfigError where it is none; a line that was cut off by a kill is left out."""
    try:
        text = (folder / EVENTS).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{folder}: this is no folder of unsent events ({error})") from None
    lines = []
    for line in text.splitlines():
        try:
            lines.append(json.loads(line))
        except ValueError:
            log.warning("%s: a broken line is left out", folder / EVENTS)
    if not lines or "component" not in lines[0]:
        raise ConfigError(f"{folder}: this is no folder of unsent events; {EVENTS} does not name its tracker")
    head = lines[0]
    return UnsentFolder(
        folder, head["component"], head["plugins"], lines[1:], {"host": head["host"], "pid": head["pid"]}
    )


def resend_events(kept: UnsentFolder, observer: Observer) -> int:
    """Tells a tracker everything that was kept, and removes the folder; the number of events.

    Whatever the tracker raises is raised. What it has recorded by then is noted, and not sent again the next time.
    """
    progress = kept.folder / SENT
    again = progress.is_file()
    done = int(progress.read_text()) if again else 0
    write_atomically(progress, str(done).encode())
    ended = {line["run_id"] for line in kept.lines[:done] if line["event"] == "run_finished"}
    started: list[str] = []
    for number, line in enumerate(kept.lines):
        if line["event"] == "run_started" and line["run"]["id"] not in ended:
            started.append(line["run"]["id"])
        elif number < done:
            continue
        method, arguments = _call(kept.folder, line, again)
        getattr(observer, method)(*arguments)
        if number >= done and not any(pending_of(observer, run) for run in started):
            write_atomically(progress, str(number + 1).encode())
    shutil.rmtree(kept.folder)
    return len(kept.lines)


def _call(folder: Path, line: Mapping[str, Any], again: bool) -> tuple[str, tuple[Any, ...]]:
    """An event as the observer's method and its arguments."""
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
