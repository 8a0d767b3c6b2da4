"""Implements ``texprior runs list``."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import click

from texprior.cli.commands.runs.filters import FORMS, JUDGED, STATUSES, Where, base_query, parse_where, restored_forms
from texprior.cli.commands.runs.recorded import SHORT, STAGE, Recorded
from texprior.cli.commands.runs.store import Store, open_store, store_option
from texprior.cli.output import emit, is_narrow, say, table
from texprior.cli.request import discover_plugins, json_option
from texprior.errors import printable

_SHOWN = 3
"""Values in a row of the table."""
_COSTS = ("calls", "latency_s", "trainable_parameters", "elapsed_s", "images_seen")
"""Values that say what a run cost; they come after those that say what it is worth."""


@click.command("list")
@store_option
@click.option("--experiment", metavar="NAME", help="Only runs of this experiment.")
@click.option(
    "--kind",
    metavar="KIND",
    help="Only runs of one kind: prior, predictor, adapter, evaluation, demo, sweep, trial, confirmation, ablation, "
    "arm, cell, alpha-curve.",
)
@click.option("--status", type=click.Choice(STATUSES), help="Only runs with this status.")
@click.option(
    "--since", metavar="AGE", help="Only runs that started since then: 30m, 12h, 3d, 2w, or 2026-11-01 (UTC)."
)
@click.option(
    "--where",
    "wheres",
    multiple=True,
    metavar="METRIC<VALUE",
    help="Only runs whose metric fits, such as 'lpips_alex<0.2'; signs < <= > >= = !=; repeatable.",
)
@click.option("--tag", "tags", multiple=True, metavar="K=V", help="Only runs with this tag; repeatable.")
@click.option(
    "--limit", type=click.IntRange(0), default=50, show_default=True, metavar="N", help="Most runs; 0 shows all."
)
@json_option
def list_runs(
    store: str | None,
    experiment: str | None,
    kind: str | None,
    status: str | None,
    since: str | None,
    wheres: tuple[str, ...],
    tags: tuple[str, ...],
    limit: int,
    as_json: bool,
) -> None:
    """List recorded runs, newest first.

    With --where, METRIC is a metric of trials and cells, the mean of an arm, the best of a sweep or an ablation, or
    that of the restored pictures of an evaluation (of one with several rows of them, one row is enough). It is named
    by its key, or by its component if one of the component's keys is recorded. The --json is a list of objects with
    id, name, kind, experiment, status, started (UTC), duration_s, folder_name, parent, tags and metrics.
    """
    conditions, asked = base_query(kind, status, since, tags), [parse_where(text) for text in wheres]
    opened = open_store(store)
    asked = _understood(opened, asked)
    # one more than asked for, to know whether there are more
    found = list(_search(opened, conditions, asked, experiment, limit and limit + 1))
    shown = found[:limit] if limit else found
    if as_json:
        emit([run.row() for run in shown])
        return
    if not shown:
        say(f"{opened}: no run fits")
        return
    _show(shown, [where.metric for where in asked])
    if len(found) > len(shown):
        say(f"there are more; --limit {2 * limit} shows twice as many, --limit 0 all")


def _understood(store: Store, wheres: Sequence[Where]) -> list[Where]:
    """Returns the conditions with the key of a metric where they name its component, as far as the store can say."""
    names = store.metric_names("") if wheres else None
    if not names:
        return list(wheres)
    # the last part of ``mean/psnr_rgb``, ``best.psnr_rgb`` and ``restored 4 calls/psnr_rgb`` is the key
    recorded = {part for name in names for part in (name, name.rpartition("/")[2], name.removeprefix("best."))}
    if all(where.metric in recorded for where in wheres):
        return list(wheres)
    from texprior.cli.metric_names import recorded_key

    registry = discover_plugins(())
    return [
        where
        if where.metric in recorded
        else replace(where, metric=recorded_key(registry, where.metric, recorded, f"--where {where.metric}"))
        for where in wheres
    ]


def _search(
    store: Store, conditions: Sequence[str], wheres: Sequence[Where], experiment: str | None, limit: int
) -> Iterator[Recorded]:
    """Yields the runs that fit, newest first.

    The store judges metrics by their names. In evaluations, the name of a method comes before the metric's. If the
    store cannot say which there are, evaluations are judged here, which takes longer.
    """
    if not wheres:
        yield from store.search(" AND ".join(conditions), experiment, limit)
        return
    names = store.metric_names("restored")
    forms = [*FORMS, *restored_forms(names or ())]
    parts: list[Iterable[Recorded]] = []
    for form in forms:
        query = " AND ".join([*conditions, *(where.query(form) for where in wheres)])
        parts.append(store.search(query, experiment, limit))
    for kind in JUDGED if names is None else ():
        judged = store.search(" AND ".join([*conditions, f"tags.`{STAGE}` = '{kind}'"]), experiment)
        parts.append(run for run in judged if _fits(run, wheres))
    merged = heapq.merge(*parts, key=lambda run: -run.started_ms)
    once = {run.id: run for run in itertools.islice(merged, len(parts) * limit or None)}
    yield from itertools.islice(once.values(), limit or None)


def _fits(run: Recorded, wheres: Sequence[Where]) -> bool:
    """Returns whether one row of restored pictures fits all conditions."""
    return any(all(where.fits(run, form) for where in wheres) for form in restored_forms(run.metrics))


def _show(found: Sequence[Recorded], first: Sequence[str]) -> None:
    """Prints the table, in the width of the terminal."""
    if is_narrow():
        rows = [[r.id[:SHORT], r.started[5:16].replace("T", " "), r.status, f"{r.kind}: {r.name}"] for r in found]
        table(["run", "started", "status", "what"], _printable(rows), wrap=["what"])
        return
    rows = [
        [r.id[:SHORT], r.started[:16].replace("T", " "), r.status, r.kind, r.experiment, r.name, values_of(r, first)]
        for r in found
    ]
    wide = ["run", "started (UTC)", "status", "kind", "experiment", "name", "values"]
    table(wide, _printable(rows), wrap=["experiment", "name", "values"])


def values_of(run: Recorded, first: Sequence[str]) -> str:
    """Returns a few metrics of a run as text: those in ``first``, then those that compare runs of its kind."""

    def rank(name: str) -> tuple[bool, bool, bool]:
        ending = name.rpartition("/")[2].rpartition(".")[2]
        compares = name.startswith(("restored", "mean/", "winner/", "best."))
        return not compares, ending not in first and name not in first, "." in name or name in _COSTS

    names = sorted(run.metrics, key=rank)[:_SHOWN]
    return ", ".join(f"{name} {run.metrics[name]:.4g}" for name in names)


def _printable(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    return [[printable(cell) for cell in row] for row in rows]
