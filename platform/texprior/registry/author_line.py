"""Finds the line of a plugin's own code that an error leads to. Imports no torch."""

from __future__ import annotations

import inspect
import linecache
import traceback
from pathlib import Path

from texprior.registry.registry import IN_USE, Entry, load_implementation


def author_line(error: BaseException, entry: Entry) -> str:
    """Returns ``file:line: source`` of the innermost frame of an error that is in the component's package.

    If there is none, because the component returned something wrong, this is the line where its class begins. It is
    empty if the implementation cannot be imported, or was made in memory.
    """
    frames = frames_of(error, entry)
    file, line = frames[-1] if frames else _beginning(entry)
    source = linecache.getline(file, line).strip()
    return f"{_short(file)}:{line}: {source}" if source else ""


def frames_of(error: BaseException, entry: Entry) -> list[tuple[str, int]]:
    """Returns file and line of the frames of an error that are in the component's package, the innermost last."""
    package = entry.component.impl.partition(":")[0].partition(".")[0]
    # an entry module may give the class of another one
    _, implementation = IN_USE.get(f"{entry.component.kind} {entry.qualified}", (entry, None))
    own = getattr(implementation, "__module__", package)
    names = [
        (frame, line, frame.f_globals.get("__name__", "")) for frame, line in traceback.walk_tb(error.__traceback__)
    ]
    return [(f.f_code.co_filename, line) for f, line, name in names if name == own or name.split(".")[0] == package]


def _beginning(entry: Entry) -> tuple[str, int]:
    """Returns the file and line where the implementation begins."""
    try:
        implementation = load_implementation(entry)
        return inspect.getfile(implementation), inspect.getsourcelines(implementation)[1]
    except Exception:
        # whatever keeps the source from being read, such as a class that was made in memory, is reported elsewhere
        return "", 0


def _short(file: str) -> str:
    """Returns a path from the current folder if the file is below it."""
    path = Path(file)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else file
