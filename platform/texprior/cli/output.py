"""Writes a command's output: one JSON document or tables to stdout, everything else to stderr."""

from __future__ import annotations

import codecs
import contextlib
import json
import math
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from texprior.addresses import redact
from texprior.errors import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

SCHEMA_VERSION = 1
"""The version of the form of all answers, see ``cli.answers``. A new key leaves it; a lost or changed key raises it."""
_STDOUT = "texprior.stdout"
_written: list[bool] = []
"""Not empty if this command has written its document."""


def say(message: str) -> None:
    """Writes a line to stderr, without the credentials of addresses."""
    click.echo(redact(message), err=True)


def keep_stdout_for_json(ctx: click.Context, _option: click.Parameter, wanted: bool) -> bool:
    """Redirects stdout to stderr with --json, so that libraries cannot print next to the document.

    The original stdout is kept for ``emit``.
    """
    if wanted:
        ctx.meta[_STDOUT] = sys.stdout
        ctx.with_resource(contextlib.redirect_stdout(sys.stderr))
    return wanted


def emit(document: object) -> None:
    """Writes the command's one JSON document to stdout; an object gets ``schema_version``.

    NaN and infinity become null. It is in ASCII if stdout is not in UTF-8.
    """
    found = plain(document)
    versioned = {"schema_version": SCHEMA_VERSION, **found} if isinstance(found, dict) else found
    _written.append(True)
    # ``sys.stdout`` may be redirected by ``keep_stdout_for_json``: the original is in click's context.
    ctx = click.get_current_context(silent=True)
    stdout: IO[Any] = (ctx.meta.get(_STDOUT) if ctx else None) or sys.stdout
    in_ascii = codecs.lookup(getattr(stdout, "encoding", None) or "utf-8").name != "utf-8"
    stdout.write(json.dumps(versioned, indent=2, ensure_ascii=in_ascii, allow_nan=False) + "\n")
    stdout.flush()


def begin_answers() -> None:
    """Forgets what an earlier command of this process has written."""
    _written.clear()


def emit_error(kind: str, message: str, exit_code: int) -> None:
    """Writes the document of a command that failed, unless it has written another one, or another process does.

    ``kind`` is one of those of ``cli.answers.base.Fault``.
    """
    # of the processes that torchrun started, the first one answers
    if not _written and os.environ.get("RANK", "0") == "0":
        emit({"error": {"kind": kind, "message": message, "exit_code": exit_code}})


def plain(value: object) -> Any:
    """Converts a value to JSON types: dataclasses, paths, sets, names that are no text, and numbers not finite.

    Texts lose the credentials of addresses.
    """
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {printable(str(key)): plain(below) for key, below in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return redact(printable(str(value))) if isinstance(value, Path | str) else value


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str = "", wrap: Sequence[str] = ()) -> None:
    """Prints a table to stdout.

    Only the columns in ``wrap`` break into lines, and only on a terminal. On a terminal that is too narrow for it, each
    row becomes a block of lines, so that nothing is cut off.
    """
    console = _console()
    shown = (_grid if _least_width(columns, rows, wrap) <= console.width else _blocks)(columns, rows, wrap)
    shown.title, shown.title_justify = title or None, "left"
    with console.capture() as text:
        console.print(shown)
    # rich fills each line with blanks, which a file or a pipe has no use for
    lines = (line if console.is_terminal else line.rstrip() for line in text.get().split("\n"))
    sys.stdout.write("\n".join(lines))


_WIDE = 100
"""Columns of a terminal in which every table has all its columns."""
_GAP, _NARROWEST, _LONGEST_WORD = 3, 12, 24
"""Columns between two cells; characters that a cell which breaks has at least, and in which its words are whole."""


def _least_width(columns: Sequence[str], rows: Sequence[Sequence[str]], wrap: Sequence[str]) -> int:
    """Returns the columns of a terminal in which a table can be read."""
    widths = []
    for name, cells in zip(columns, zip(columns, *rows, strict=True), strict=True):
        longest = max(map(len, cells))
        word = max((len(part) for cell in cells for part in cell.split()), default=0)
        readable = max(_NARROWEST, min(word, _LONGEST_WORD))
        widths.append(min(longest, readable) if name in wrap else longest)
    return sum(widths) + _GAP * len(widths)


def is_narrow() -> bool:
    """Returns whether stdout is a terminal of fewer than 100 columns."""
    return sys.stdout.isatty() and _console().width < _WIDE


def _grid(columns: Sequence[str], rows: Sequence[Sequence[str]], wrap: Sequence[str]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        grid.add_column(name, no_wrap=name not in wrap, overflow="fold")
    for row in rows:
        grid.add_row(*(Text(cell) for cell in row))
    return grid


def _blocks(columns: Sequence[str], rows: Sequence[Sequence[str]], _wrap: Sequence[str]) -> Table:
    """Returns a block of lines for each row: the head of a column, and the cell if it is not empty."""
    from rich.table import Table
    from rich.text import Text

    blocks = Table.grid(padding=(0, 2))
    blocks.add_column(no_wrap=True, overflow="fold")
    blocks.add_column(overflow="fold")
    for row in rows:
        blocks.add_row("", "")
        for name, cell in zip(columns, row, strict=True):
            if cell:
                blocks.add_row(Text(name), Text(cell))
    blocks.add_row("", "")
    return blocks


def _console() -> Console:
    from rich.console import Console

    # Without a terminal, rich assumes 80 columns and breaks rows. 400 columns keep them whole, for ``grep`` and files.
    terminal = sys.stdout.isatty()
    return Console(file=sys.stdout, width=None if terminal else 400, highlight=False)


def name_broken(broken: Mapping[str, str], what: str) -> None:
    """Lists the pictures that were left out and ends with exit code 1.

    If there are none, it does nothing.
    """
    if broken:
        say(f"{len(broken)} picture{'s' * (len(broken) > 1)} could not be {what}:")
        for reason in broken.values():
            say(f"  {printable(reason)}")
        click.get_current_context().exit(1)
