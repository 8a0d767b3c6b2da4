"""Implements ``texprior alpha-curve``, which draws the poster's figure for any photographs."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import click

from texprior.cli.metric_names import parse_metric
from texprior.cli.output import emit, name_broken, table
from texprior.cli.pictures import find_sources, full_names_option, target_path
from texprior.cli.request import (
    device_option,
    discover_plugins,
    json_option,
    output_folder,
    parse_component,
    plugin_option,
    session_of,
    set_option,
)
from texprior.errors import ConfigError

if TYPE_CHECKING:
    from texprior.evaluation.alpha_curve.run import CurveFiles
    from texprior.plugin import Ref
    from texprior.registry import Registry
    from texprior.runtime.session import Session

ALPHAS = "0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,1"
"""The shares of texture by default: ten even steps up to the whole picture."""
SETTABLE = ("threads", "events")
"""The parts of an experiment that --set may change: the others have no effect here, or an option of their own."""


@click.command("alpha-curve")
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True)
@click.option("-o", "--output", metavar="DIR", required=True, help="Folder for alpha-curve.png and alpha-curve.csv.")
@click.option(
    "--with",
    "named",
    metavar="NAME",
    multiple=True,
    default=("guided",),
    show_default=True,
    help="A decomposition: its name, or YAML with its options; repeatable.",
)
@click.option("--alphas", metavar="A,A,...", default=ALPHAS, show_default=True, help="Shares of the texture, 0 to 2.")
@click.option(
    "--metrics",
    metavar="NAME,NAME,...",
    default="niqe,brisque",
    show_default=True,
    help="Metrics that need no reference: names, or YAML with options, such as '{pyiqa: {name: musiq}}'.",
)
@full_names_option
@set_option
@plugin_option
@device_option
@json_option
def alpha_curve(
    images: tuple[str, ...],
    output: str,
    named: tuple[str, ...],
    alphas: str,
    metrics: str,
    full_names: bool,
    overrides: tuple[str, ...],
    plugins: tuple[str, ...],
    device: str | None,
    as_json: bool,
) -> None:
    """Plot no-reference quality against the share of texture that is left in photographs.

    A picture is its structure plus alpha times its texture, rounded to 8 bits. Means over the pictures have bootstrap
    intervals. Each decomposition is tracked as a run of the experiment alpha-curve. What lies below DIR is no input.

    --set accepts threads and events, such as events=[].
    """
    registry = discover_plugins(plugins)
    found, shares = find_sources(images, output, full_names), _shares(alphas)
    from texprior.evaluation.alpha_curve.run import NAME, alpha_curves, label_decompositions, metrics_without_reference

    # Everything that can be wrong on the command line is checked before the first picture is processed.
    decompositions = label_decompositions(
        [parse_component(registry, "decomposition", name, "--with") for name in named]
    )
    session = _session(registry, _metrics(registry, metrics), overrides, device)
    metrics_without_reference(session)
    folder = output_folder(output)
    target_path(folder, NAME, found)

    kept = alpha_curves(session, {source.name: source.path for source in found}, decompositions, shares, folder)
    if as_json:
        emit(_document(kept))
    else:
        _show(kept)
        click.echo(f"figure: {kept.figure}\nscores: {kept.table}")
    name_broken(kept.curves.broken, "read")


def _shares(text: str) -> list[float]:
    """Parses the alphas and returns them in increasing order.

    Raises ConfigError unless they are two or more different numbers from 0 to 2.
    """
    try:
        shares = sorted(float(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(f"--alphas {text}: expected numbers with commas between them, such as 0.1,0.5,1") from None
    if not all(math.isfinite(share) and 0 <= share <= 2 for share in shares):
        raise ConfigError(f"--alphas {text}: each must be a number from 0 to 2")
    if len(shares) < 2 or len(set(shares)) < len(shares):
        raise ConfigError(f"--alphas {text}: at least two are needed, each once")
    return shares


def _metrics(registry: Registry, text: str) -> list[Ref]:
    from texprior.config.yaml_reader import parse_yaml, shorten_text

    try:
        items = parse_yaml(f"[{text}]")
    except ValueError:
        items = None
    # A name is a text and a component with options is a mapping: anything else cannot be a metric.
    if not items or not all(isinstance(item, str | dict) for item in items):
        raise ConfigError(
            f"--metrics {shorten_text(text)}: expected metrics with commas between them, such as niqe,brisque"
        )
    texts = [item if isinstance(item, str) else json.dumps(item) for item in items]
    return [parse_metric(registry, item, "--metrics") for item in texts]


def _session(registry: Registry, metrics: list[Ref], overrides: tuple[str, ...], device: str | None) -> Session:
    from texprior import config
    from texprior.evaluation.alpha_curve.run import NAME

    for override in overrides:
        if override.partition("=")[0].partition(".")[0] not in SETTABLE:
            raise ConfigError(f"--set {override}: only {' and '.join(SETTABLE)} can be set here")
    placed = [f"device={device}"] if device else []
    data = {"name": NAME, "metrics": [ref.model_dump() for ref in metrics]}
    return session_of(config.resolve(data, registry, [*overrides, *placed], source=NAME), registry)


def _document(kept: CurveFiles) -> dict[str, Any]:
    curves = kept.curves
    metrics = list(curves.scores.better)
    return {
        "alphas": curves.alphas,
        "better": curves.scores.better,
        "pictures": {metric: curves.scores.complete(metric) for metric in metrics},
        "curves": {label: {metric: curves.points(label, metric) for metric in metrics} for label in curves.labels},
        "change": {label: {metric: curves.change(label, metric) for metric in metrics} for label in curves.labels},
        "figure": kept.figure,
        "scores": kept.table,
        "runs": kept.runs,
        "broken": curves.broken,
    }


def _show(kept: CurveFiles) -> None:
    """Prints both ends of the curve, and how many pictures improve.

    There is a row for each decomposition and metric.
    """
    from texprior.evaluation.tables import ARROWS, mean_cell, paired_cell

    curves = kept.curves
    first, last = curves.alphas[0], curves.alphas[-1]
    rows = []
    for label in curves.labels:
        for metric, better in curves.scores.better.items():
            points = curves.points(label, metric)
            change = paired_cell(curves.change(label, metric))
            rows.append([label, f"{metric} {ARROWS[better]}", mean_cell(points[0]), mean_cell(points[-1]), change])
    columns = ["decomposition", "metric", f"alpha {first:g}", f"alpha {last:g}", "change, pictures that improve"]
    table(columns, rows, wrap=columns[2:])
    for metric, count in curves.scores.incomplete().items():
        click.echo(f"{metric} leaves out {count} of the pictures, which it cannot score at every alpha")
