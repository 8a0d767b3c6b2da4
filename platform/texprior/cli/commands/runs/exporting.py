"""Implements ``texprior runs export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from texprior.cli.commands.runs.finding import find_runs
from texprior.cli.commands.runs.recorded import SHORT, STAGE, Recorded
from texprior.cli.commands.runs.store import Store, open_store, store_option
from texprior.cli.output import emit, say
from texprior.cli.request import json_option, uncertainty_option
from texprior.errors import ConfigError, printable

if TYPE_CHECKING:
    from texprior.cli.commands.runs.result_tables import ResultTable

_FORMATS = ("csv", "markdown", "latex")


@click.command()
@click.argument("runs", metavar="[RUN]...", nargs=-1)
@click.option("--format", "form", type=click.Choice(_FORMATS), default="markdown", show_default=True)
@uncertainty_option
@click.option("--experiment", metavar="NAME", help="Without RUN: only evaluations of this experiment.")
@click.option("-o", "--output", metavar="FILE", help="Write to a file instead of stdout.")
@store_option
@json_option
def export(
    runs: tuple[str, ...],
    form: str,
    uncertainty: str,
    experiment: str | None,
    output: str | None,
    store: str | None,
    as_json: bool,
) -> None:
    """Export results as a table: evaluations, the trials of a sweep, or the arms of an ablation.

    Without RUN, all evaluations. CSV holds one table; give one sweep or ablation at a time. The --json is a list of
    tables with title, labels, better (column -> direction) and rows (labels; values: value, error, low, high).
    """
    if runs and experiment:
        raise ConfigError("--experiment chooses among all evaluations; leave it or RUN out")
    if as_json and output is not None:
        raise ConfigError("--json answers on standard output, which can be sent to a file; leave -o out")
    from texprior.cli.commands.runs.result_tables import tables_of

    opened = open_store(store)
    found = find_runs(opened, runs) if runs else _evaluations(opened, experiment)
    if not found:
        raise ConfigError(f"{opened}: there are no evaluations{f' of {experiment}' if experiment else ''} to export")
    tables = tables_of(opened, found)
    if as_json:
        emit(tables)
        return
    text = _text(tables, form, uncertainty)
    if output is None:
        click.echo(printable(text), nl=False)
        return
    from texprior.store import write_atomically

    write_atomically(Path(output), text.encode())
    say(f"written: {output}")


def _evaluations(store: Store, experiment: str | None) -> list[Recorded]:
    """Returns the evaluations of a store that have scores, newest first; the others are named."""
    found, kept = list(store.search(f"tags.`{STAGE}` = 'evaluation'", experiment)), []
    for run in found:
        if store.folder_of(run) is None:
            say(f"{run.id[:SHORT]} '{run.name}' is left out: no scores.csv is stored with it ({run.status})")
        else:
            kept.append(run)
    return kept


def _text(tables: list[ResultTable], form: str, uncertainty: str) -> str:
    from texprior.cli.commands.runs.table_forms import as_csv, as_latex, as_markdown

    if form == "csv":
        if len(tables) > 1:
            titles = ", ".join(f"'{table.title}'" for table in tables)
            raise ConfigError(f"--format csv: these are several tables ({titles}); export them one at a time")
        return as_csv(tables[0])
    write = {"markdown": as_markdown, "latex": as_latex}[form]
    return "\n".join(write(table, uncertainty) for table in tables)
