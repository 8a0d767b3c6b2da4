"""What a command says: one JSON document or tables on stdout, everything else on stderr."""

from __future__ import annotations

import contextlib
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

_STDOUT = "texprior.stdout"


def say(message: str) -> None:
    """A line on stderr."""
    click.echo(message, err=True)


def keep_stdout_for_json(ctx: click.Context, _option: click.Parameter, wanted: bool) -> bool:
    """With --json nothing but the document reaches stdout, whatever a library prints."""
    if wanted:
        ctx.meta[_STDOUT] = sys.stdout
        ctx.with_resource(contextlib.redirect_stdout(sys.stderr))
    return wanted


def emit(document: Any) -> None:
    """The command's one JSON document; what is no number becomes null."""
    ctx = click.get_current_context(silent=True)
    stdout: IO[Any] = (ctx.meta.get(_STDOUT) if ctx else None) or sys.stdout
    stdout.write(json.dumps(plain(document), indent=2, ensure_ascii=False, allow_nan=False) + "\n")
    stdout.flush()


def plain(value: Any) -> Any:
    """The value in JSON's types."""
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(key): plain(below) for key, below in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str = "", wrap: Sequence[str] = ()) -> None:
    """A table on stdout; only the columns in ``wrap`` are broken into lines, and only on a terminal."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shown = Table(title=title or None, box=box.SIMPLE_HEAD, title_justify="left", pad_edge=False)
    for name in columns:
        shown.add_column(name, no_wrap=name not in wrap, overflow="fold")
    for row in rows:
        shown.add_row(*(Text(cell) for cell in row))
    _console().print(shown)


def _console() -> Console:
    from rich.console import Console

    terminal = sys.stdout.isatty()
    return Console(file=sys.stdout, width=None if terminal else 400, highlight=False)


def name_broken(broken: Mapping[str, str], what: str) -> None:
    """Names the pictures that were left out, and makes the command end with exit code 1."""
    if broken:
        say(f"{len(broken)} picture{'s' * (len(broken) > 1)} could not be {what}:")
        for reason in broken.values():
            say(f"  {reason}")
        click.get_current_context().exit(1)
