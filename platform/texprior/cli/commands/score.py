"""Implements ``texprior score``, which scores folders of pictures that any program made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from texprior.cli.metric_names import parse_metric
from texprior.cli.output import emit, name_broken, say, table
from texprior.cli.request import (
    device_option,
    discover_plugins,
    json_option,
    plugin_option,
    session_of,
    uncertainty_option,
)
from texprior.errors import ConfigError, TexpriorError

if TYPE_CHECKING:
    from texprior.cli.commands.runs.result_tables import ResultTable
    from texprior.evaluation.scores import Scores
    from texprior.registry import Registry
    from texprior.runtime.session import Session

_FORMATS = ("table", "markdown", "csv", "latex")


@click.command()
@click.argument("folders", metavar="[NAME=]FOLDER...", nargs=-1, required=True)
@click.option("--reference", metavar="DIR", help="Folder of the clean pictures, with the same names.")
@click.option(
    "--metric",
    "named",
    multiple=True,
    metavar="METRIC",
    help="A metric: its name, or YAML with its options; repeatable. If not given, every one that can be used.",
)
@click.option(
    "--baseline", metavar="NAME", help="The folder that the others are compared with; the first if not given."
)
@click.option("--format", "form", type=click.Choice(_FORMATS), default="table", show_default=True)
@uncertainty_option
@click.option("-o", "--output", metavar="FILE", help="Also write the score of every picture to this file, as CSV.")
@device_option
@plugin_option
@json_option
def score(
    folders: tuple[str, ...],
    reference: str | None,
    named: tuple[str, ...],
    baseline: str | None,
    form: str,
    uncertainty: str,
    output: str | None,
    device: str | None,
    plugins: tuple[str, ...],
    as_json: bool,
) -> None:
    """Score folders of restored pictures, whatever program made them.

    Pictures are matched by their names without suffix, and all folders are scored on the pictures that all of them
    have. Without --reference only metrics that need none are used, as for real photographs. Differences from the
    baseline are taken picture by picture.
    """
    registry, methods = discover_plugins(plugins), methods_of(folders)
    first = baseline or next(iter(methods))
    if first not in methods:
        raise ConfigError(f"--baseline {first}: there is no such folder here; they are {', '.join(methods)}")
    from texprior.evaluation.foreign import refuse_overwriting, score_folders

    if output is not None:
        refuse_overwriting(Path(output), [*methods.values(), *([Path(reference)] if reference else [])])
    session = _session(registry, _metrics(registry, named, reference is not None), device)

    found, lacking = score_folders(session, methods, Path(reference) if reference else None)
    others = [name for name in methods if name != first]
    for key, names in lacking.items():
        say(f"left out: {key} is missing in {', '.join(names)}")
    if as_json:
        about = {"folders": methods, "reference": reference, "baseline": first, "left_out": lacking}
        emit({**about, **_document(found.scores, first, others), "broken": found.broken})
    elif found.scores.scores:
        _show(found.scores, first, others, form, uncertainty)
    # after they were shown: a disk that is full loses no score
    if output is not None and found.scores.scores:
        found.scores.write(Path(output))
    name_broken(found.broken, "scored")


def methods_of(folders: Sequence[str]) -> dict[str, Path]:
    """Returns the name of each folder -> the folder. Raises ConfigError if two have one name."""
    found: dict[str, Path] = {}
    for text in folders:
        name, equals, path = text.partition("=")
        # a folder may have = in its own name
        named = bool(equals) and not Path(text).exists()
        folder = Path(path if named else text).expanduser()
        shown = name if named else folder.resolve().name
        if not shown:
            raise ConfigError(f"{text}: a folder needs a name before '='; write NAME={folder}, or the folder alone")
        if shown in found:
            raise ConfigError(f"{text}: two folders are named '{shown}'; give one a name: NAME={folder}")
        found[shown] = folder
    return found


def _metrics(registry: Registry, named: Sequence[str], referenced: bool) -> list[Any]:
    """Returns the metrics to score by, in the grammar of an experiment.

    These are the named ones, or every installed one that can be used. Raises ConfigError for a named one that needs a
    reference if there is none.
    """
    from texprior.flow.kinds import METRIC
    from texprior.flow.measure import needs_reference
    from texprior.plugin import Metric, Ref

    refs = [parse_metric(registry, text, "--metric") for text in named]
    usable = []
    for ref in refs or [Ref(name=entry.qualified) for entry in registry.entries("metric")]:
        record = registry.find("metric", ref.name).component
        assert isinstance(record, Metric)
        try:
            needs = needs_reference(registry.build(METRIC, ref), record)
        except ValueError:  # pydantic's: an option has no default; a named one was resolved above
            say(f"note: metric '{record.name}' is not used: it has options without a default; name it with --metric")
            continue
        except TexpriorError as error:
            if named:
                raise
            say(f"note: metric '{record.name}' is not used: {str(error).partition(';')[0]}")
            continue
        if needs and not referenced and named:
            raise ConfigError(f"--metric {ref.name}: this metric needs a reference; give --reference")
        if referenced or not needs:
            usable.append(ref.model_dump(mode="json") if ref.options else ref.name)
    if not usable:
        raise ConfigError("no installed metric can score pictures without a reference; give --reference")
    return usable


def _session(registry: Registry, metrics: list[Any], device: str | None) -> Session:
    from texprior import config

    described = {"name": "score", "events": [], "metrics": metrics, "device": device or "auto"}
    return session_of(config.resolve(described, registry, source="score"), registry)


def _document(scores: Scores, baseline: str, others: Sequence[str]) -> dict[str, Any]:
    from dataclasses import asdict

    from texprior.evaluation.tables import scores_json

    against = scores.against(baseline, others).items()
    return {
        "better": scores.better,
        "metrics": scores_json(scores),
        "against_baseline": {m: {k: asdict(pair) for k, pair in row.items()} for m, row in against},
    }


def _show(scores: Scores, baseline: str, others: Sequence[str], form: str, uncertainty: str) -> None:
    from texprior.cli.commands.runs.table_forms import as_csv, as_latex, as_markdown

    if form == "table":
        _print_tables(scores, baseline, others)
    elif form == "csv":
        click.echo(as_csv(_table(scores, baseline, others)), nl=False)
    else:
        write = {"markdown": as_markdown, "latex": as_latex}[form]
        click.echo(write(_table(scores, baseline, others), uncertainty), nl=False)


def _print_tables(scores: Scores, baseline: str, others: Sequence[str]) -> None:
    from texprior.evaluation.intervals import NO_INTERVAL
    from texprior.evaluation.tables import explain_table, metric_headings, paired_cell, score_rows

    columns = ["method", *metric_headings(scores.better)]
    table(columns, score_rows(scores), wrap=columns)
    click.echo(explain_table(scores))
    if others:
        found = scores.against(baseline, others)
        rows = [[name, *(paired_cell(row[metric]) for metric in scores.better)] for name, row in found.items()]
        table(columns, rows, wrap=columns)
        click.echo(
            f"Minus {baseline}, picture by picture: mean, 95 % bootstrap interval ({NO_INTERVAL}), "
            "pictures on which it is better."
        )


def _table(scores: Scores, baseline: str, others: Sequence[str]) -> ResultTable:
    """Returns the means, and for each metric the differences from the baseline in a column of their own."""
    from texprior.cli.commands.runs.result_tables import ResultTable, Value, titled, value_of

    better: dict[str, str] = {}
    for metric, way in scores.better.items():
        better |= {metric: way, **({f"{metric} - {baseline}": ""} if others else {})}
    against, rows, left_out = scores.against(baseline, others), [], scores.incomplete()
    for method, row in scores.summary().items():
        values = {m: value_of(v, m in left_out) for m, v in row.items()}
        differences = {f"{m} - {baseline}": pair.difference for m, pair in against.get(method, {}).items()}
        values |= {m: Value(v.mean, v.standard_error, v.low, v.high) for m, v in differences.items()}
        rows.append(([method, str(len(scores.pictures()))], values))
    return ResultTable(titled("Scores", left_out), ["method", "pictures"], better, rows)
