"""Writes where a component came from, a line of a card, and finds it again if its plugin is missing."""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

from texprior.registry.registry import Entry

CARD = "README.md"
"""The card of a prior or a model, next to its weights."""
_FILE, _MODULE = ", the single file ", ", a registered module"
_LINE = re.compile(rf"- `(?P<path>[^`]+)`: (?P<what>\S+ \S+?)(?:{_FILE}(?P<file>.+)|(?P<module>{_MODULE}))?")


def origin_line(path: str, entry: Entry) -> str:
    """Returns the line about the component at a dotted path: distribution, version, and the name of a single file."""
    plugin = entry.plugin
    kind = f"{_FILE}{Path(plugin.file).name}" if plugin.file else _MODULE if not plugin.installed else ""
    return f"`{path}`: {entry.qualified} {plugin.version}{kind}"


def origin_of(path: str, folder: Path) -> str:
    """Returns what the component at a path of a trained folder came from, and what to do; "" if its card is silent."""
    with suppress(OSError, UnicodeDecodeError):
        for line in (folder / CARD).read_text(encoding="utf-8").splitlines():
            found = _LINE.fullmatch(line)
            if found and found["path"] == path:
                return _advice(found)
    return ""


def _advice(found: re.Match[str]) -> str:
    used, file = f"what was trained here used {found['what']}", found["file"]
    if file:
        return f"{used} of the single file {file}: add --plugin FOLDER/{file}, or in Python texprior.register"
    if found["module"]:
        return f"{used} of a registered module: register it with texprior.register"
    qualified, version = found["what"].split()
    return f"{used}: install the plugin {qualified.split('/')[0]} {version}"
