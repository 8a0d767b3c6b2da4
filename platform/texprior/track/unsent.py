"""What a tracker could not record: kept in a folder as JSON lines and files. ``resend`` reads it back."""

from __future__ import annotations

import json
import os
import shutil
import socket
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from texprior.errors import TexpriorError
from texprior.store import save_tensors

if TYPE_CHECKING:
    from texprior.track.observer import RunInfo

FOLDER, EVENTS = "unsent", "events.jsonl"
_NAMES = {"run_started": "run", "step": "value", "image": "picture", "artifact": "file", "run_finished": "end"}


@dataclass
class Unsent:
    """The events that one tracker of this process could not record. The folder is made when the first one comes.

    ``component`` is the tracker as an experiment names it, and ``plugins`` the single files that it may come from.
    """

    root: Path
    component: Mapping[str, Any]
    plugins: Sequence[str] = ()
    folders: list[Path] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    runs: dict[str, RunInfo] = field(default_factory=dict)
    """The runs that are open, which a second folder begins with as well."""
    lost: str = ""
    """Why something could not be kept either."""

    def keep(self, event: str, *arguments: Any) -> None:
        """Writes an event down; below the system's temporary folder where ``root`` cannot be written."""
        try:
            self._write(self.folders[-1] if self.folders else self._begin(self.root), event, arguments)
        except (OSError, TexpriorError):
            try:
                self._write(self._begin(Path(tempfile.gettempdir()) / f"texprior-{FOLDER}"), event, arguments)
            except (OSError, TexpriorError) as error:
                self.lost = str(error)
                return
        self.counts[_NAMES[event]] += len(arguments[2]) if event == "step" else 1
        if event == "run_started":
            self.runs[arguments[0].id] = arguments[0]
        elif event == "run_finished":
            self.runs.pop(arguments[0], None)

    def sentences(self) -> list[str]:
        """What was kept, where, and how it is sent; nothing where there is nothing to say."""
        counts = ((self.counts[name], name) for name in _NAMES.values() if name not in ("run", "end"))
        kept = ", ".join(f"{n} {name}{'s' * (n != 1)}" for n, name in counts if n) or "the course of a run"
        places = " ".join(str(folder) for folder in self.folders)
        told = f"{kept} could not be recorded and are kept in {places}; 'texprior runs resend {places}' records them"
        lost = f"something could neither be recorded nor kept: {self.lost}"
        return [told] * bool(self.folders) + [lost] * bool(self.lost)

    def _begin(self, root: Path) -> Path:
        root.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=time.strftime("%Y%m%d-%H%M%S-"), dir=root))
        worker = {"host": socket.gethostname(), "pid": os.getpid()}
        try:
            _append(folder / EVENTS, {"component": self.component, "plugins": self.plugins, **worker})
            for run in self.runs.values():
                self._write(folder, "run_started", (replace(run, resume=True),))
        except OSError:
            shutil.rmtree(folder, ignore_errors=True)  # without its beginning nothing of it could be sent
            raise
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
            source = Path(arguments[1])
            name = f"{_free(folder)}/{source.name}"
            _copy(source, folder / name)
            line |= {"run_id": arguments[0], "file": name}
        else:
            line |= dict(zip(("run_id", "status", "summary", "note"), arguments, strict=True))
        _append(folder / EVENTS, line)


def _append(path: Path, line: Mapping[str, Any]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, default=str) + "\n")


def _free(folder: Path, suffix: str = "") -> str:
    return f"{len(list(folder.iterdir())):04d}{suffix}"


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir()
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy2(source, target)
