"""Implements ``texprior runs compare`` and ``texprior runs diff``."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from texprior.cli.commands.runs.store import open_store, store_option
from texprior.cli.output import emit, say, table
from texprior.cli.request import json_option
from texprior.errors import printable

if TYPE_CHECKING:
    from texprior.cli.commands.runs.settings import Difference
    from texprior.cli.commands.runs.sides import Pairing, Side

_ABSENT = "-"


@click.command()
@click.argument("a")
@click.argument("b")
@store_option
@json_option
def diff(a: str, b: str, store: str | None, as_json: bool) -> None:
    """Show the settings that differ between two runs.

    A and B are runs, or folders with scores.csv. The --json is a list of objects with path, a and b; null if a side has
    no such setting.
    """
    found = _differences(*_sides(a, b, store))
    if as_json:
        emit([d._asdict() for d in found])
    else:
        _show_settings(found)


@click.command()
@click.argument("a")
@click.argument("b")
@store_option
@click.option(
    "--sheet", metavar="FILE", help="Write a PNG with crops of the restored pictures where A and B differ most."
)
@json_option
def compare(a: str, b: str, store: str | None, sheet: str | None, as_json: bool) -> None:
    """Compare two runs: settings, and scores picture by picture.

    A and B are runs of evaluations, trials or cells, or folders with scores.csv. The difference is B minus A over the
    pictures that both have scored, with the interval that 'evaluate' computes. The --json has a and b (names), settings
    (as 'diff --json'), same_inputs, rows (a, b: methods; metrics: a, b, difference, wins of B, ties), sheet.
    """
    from texprior.cli.commands.runs.sides import pairings, same_inputs

    sides = _sides(a, b, store)
    settings, scores = _differences(*sides), [side.scores for side in sides]
    for side, found in zip(sides, scores, strict=True):
        if found is None:
            say(f"{side.name}: no scores.csv is stored with it, so only settings are compared")
    both = [found for found in scores if found is not None]
    paired = pairings(*both) if len(both) == 2 else []
    equal = same_inputs(*both) if len(both) == 2 else None
    if len(both) == 2 and not paired:
        say("the two have no scored restored picture in common")
    if equal is False:
        say("warning: A and B restored differently degraded pictures: their degraded pictures have other scores")
    written = _sheet(sides, paired, sheet)
    if as_json:
        names = {"a": sides[0].name, "b": sides[1].name, "settings": [d._asdict() for d in settings]}
        emit({**names, "same_inputs": equal, "rows": [_row(p) for p in paired], "sheet": written})
        return
    click.echo(printable(f"A: {sides[0].name}\nB: {sides[1].name}"))
    _show_settings(settings)
    for pairing in paired:
        _show_scores(pairing)
    if written:
        click.echo(f"sheet: {written}")


def _sides(a: str, b: str, store: str | None) -> tuple[Side, Side]:
    from texprior.cli.commands.runs.sides import side_of

    # two folders need no store, and two runs need it once
    opened = functools.cache(lambda: open_store(store))
    return side_of(a, opened), side_of(b, opened)


def _differences(a: Side, b: Side) -> list[Difference]:
    from texprior.cli.commands.runs.settings import differences

    for side in (a, b):
        if not side.settings:
            say(f"{side.name}: no settings are stored with it")
    return differences(a.settings, b.settings) if a.settings and b.settings else []


def _show_settings(found: Sequence[Difference]) -> None:
    if not found:
        click.echo("no setting differs")
        return
    rows = [[printable(cell) for cell in (d.path, d.a or _ABSENT, d.b or _ABSENT)] for d in found]
    table(["setting", "A", "B"], rows, wrap=["setting", "A", "B"])


def _show_scores(pairing: Pairing) -> None:
    from texprior.evaluation.intervals import NO_INTERVAL
    from texprior.evaluation.tables import mean_cell, metric_headings, paired_cell

    summary, scores = pairing.scores.summary(), pairing.scores
    rows = []
    for m, heading in zip(scores.better, metric_headings(scores.better), strict=True):
        paired = scores.paired("B", "A", m)
        equal = f" ({paired.ties} equal)" if paired.ties else ""
        rows.append([heading, mean_cell(summary["A"][m]), mean_cell(summary["B"][m]), f"{paired_cell(paired)}{equal}"])
    rows_named = f"'{pairing.a}'" if pairing.a == pairing.b else f"A '{pairing.a}', B '{pairing.b}'"
    columns = ["metric", "A", "B", "B minus A"]
    table(columns, rows, title=printable(rows_named), wrap=columns)
    click.echo(
        f"Over {len(scores.pictures())} pictures: mean ± standard error; B minus A, picture by picture: mean, 95 % "
        f"bootstrap interval ({NO_INTERVAL}), pictures on which B is better."
    )


def _row(pairing: Pairing) -> dict[str, Any]:
    summary, scores = pairing.scores.summary(), pairing.scores
    metrics = {}
    for metric, better in scores.better.items():
        paired = scores.paired("B", "A", metric)
        means = {"better": better, "a": summary["A"][metric], "b": summary["B"][metric]}
        metrics[metric] = {**means, "difference": paired.difference, "wins": paired.wins, "ties": paired.ties}
    return {"a": pairing.a, "b": pairing.b, "metrics": metrics}


def _sheet(sides: tuple[Side, Side], paired: Sequence[Pairing], file: str | None) -> Path | None:
    """Writes the sheet, or says why there is none."""
    if file is None:
        return None
    from texprior.cli.commands.runs.sheet import kept_pictures, write_sheet

    if not paired:
        say("--sheet: there are no common scores, so nothing is drawn")
        return None
    kept = [kept_pictures(side.folder) if side.folder else {} for side in sides]
    for side, pictures in zip(sides, kept, strict=True):
        if not pictures:
            say(f"--sheet: no restored pictures are stored with {side.name}; cells of an ablation keep them")
            return None
    return write_sheet(kept[0], kept[1], paired[-1].scores, Path(file))
