"""Lists the picture files in a folder, and names what it passes over."""

from __future__ import annotations

import functools
import os
import stat
from collections import defaultdict
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageFile

from texprior.errors import printable
from texprior.flow.once import warn_once

_NO_PICTURES = ("MPEG", "EPS", "IPTC")
"""Formats that Pillow only recognises, or hands to another program."""
_NAMED = 5
"""How many names a warning lists: enough to recognise what they are, few enough for one line."""


@functools.cache
def picture_suffixes() -> frozenset[str]:
    """Returns the suffixes of the files that the installed Pillow reads, in lower case, such as ``.png``."""
    Image.init()

    def reads(format_: str) -> bool:
        opener = Image.OPEN[format_][0] if format_ in Image.OPEN else None
        # a stub knows the format's name and nothing else
        stub = isinstance(opener, type) and issubclass(opener, ImageFile.StubImageFile)
        return opener is not None and not stub and format_ not in _NO_PICTURES

    return frozenset(suffix for suffix, format_ in Image.registered_extensions().items() if reads(format_))


def find_pictures(
    folder: Path, pattern: str = "*", recursive: bool = True, without: Path | None = None, warns: bool = True
) -> list[Path]:
    """Returns the paths, below a folder, of its pictures whose name matches ``pattern``, sorted as POSIX paths.

    A picture is a file with one of ``picture_suffixes``; a link whose file is missing counts too, so that reading it
    says so. Links to folders are followed, except into a folder that contains them. Hidden files and folders, and the
    folder ``without``, are left out. A warning counts and names whatever else is passed over.
    """
    found: list[Path] = []
    passed: dict[str, list[str]] = defaultdict(list)
    for file, reason in _walk(folder, pattern, recursive, os.path.realpath(without or ""), frozenset()):
        if reason:
            passed[reason].append(file.relative_to(folder).as_posix())
        else:
            found.append(file.relative_to(folder))
    for reason, names in passed.items() if warns else ():
        warn_once(f"{folder}: passed over {len(names)} {reason}: {some(names)}")
    return sorted(found, key=Path.as_posix)


def some(names: list[str]) -> str:
    """Returns the first few names and the number of the others, for messages."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return printable(", ".join(names[:_NAMED])) + more


class _Entry(NamedTuple):
    """A file or folder; ``reason`` says why it is no picture."""

    path: Path
    reason: str = ""


def _walk(folder: Path, pattern: str, recursive: bool, without: str, above: frozenset[str]) -> Iterator[_Entry]:
    real = os.path.realpath(folder)
    if real in above:
        yield _Entry(folder, "link(s) to a folder that contains the link")
        return
    try:
        paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        yield _Entry(folder, f"folder(s) that cannot be opened ({error.strerror})")
        return
    for path in paths:
        mode = _mode(path)
        if stat.S_ISDIR(mode):
            if recursive and os.path.realpath(path) != without:
                yield from _walk(path, pattern, recursive, without, above | {real})
        elif fnmatch(path.name, pattern):
            # a pipe or a device may bear any name, and reading it may never end
            reads = path.suffix.lower() in picture_suffixes() and (stat.S_ISREG(mode) or not mode)
            yield _Entry(path, "" if reads else "file(s) that are no pictures which can be read")


def _mode(path: Path) -> int:
    """Returns the mode of what a path or link leads to; 0 if it leads nowhere."""
    try:
        return path.stat().st_mode
    except OSError:
        return 0
