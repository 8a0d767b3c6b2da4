"""Measures alpha curves as tracked runs.

A curve is no-reference quality against the share alpha of texture in a picture.
"""

from __future__ import annotations

import contextlib
import logging
import math
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from texprior.errors import ConfigError, ImageError, blaming
from texprior.evaluation.alpha_curve.curves import Curves, method_of
from texprior.evaluation.metrics import Metrics, build_metrics
from texprior.evaluation.scores import Score, Scores
from texprior.flow.decompose import Decomposer, decompose, with_texture
from texprior.flow.image import load_image
from texprior.flow.kinds import DECOMPOSITION
from texprior.flow.measure import measure, needs_reference
from texprior.plugin import Metric, Ref
from texprior.runtime.run_record import component_tag
from texprior.runtime.session import Session
from texprior.runtime.text_tables import csv_text
from texprior.store import write_atomically
from texprior.track import Run, RunInfo

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger(__name__)
NAME = "alpha-curve"
"""Name of the experiment in the tracker, and of the files."""


@dataclass(frozen=True)
class CurveFiles:
    """The curves, their figure and their table.

    It also says where the tracker shows the run of each decomposition.
    """

    curves: Curves
    figure: Path
    table: Path
    runs: Mapping[str, Mapping[str, str]]


def label_decompositions(refs: Sequence[Ref]) -> dict[str, Ref]:
    """Returns label -> decomposition.

    A label is the name and the options that differ from others of that name. Raises ConfigError if two decompositions
    are the same.
    """
    named: dict[str, Ref] = {}
    for ref in refs:
        others = [other.options for other in refs if other.name == ref.name]
        told = [f"{k}={v}" for k, v in ref.options.items() if any(other.get(k) != v for other in others)]
        label = " ".join([ref.name, *told])
        if label in named:
            raise ConfigError(f"the decomposition {label} is named twice with the same options")
        named[label] = ref
    return named


def metrics_without_reference(session: Session) -> Metrics:
    """Builds the experiment's metrics. Raises ConfigError if one cannot score a picture without a reference."""
    metrics = build_metrics(session)
    records = [session.registry.find("metric", ref.name).component for ref in session.experiment.metrics]
    known = [entry.component for entry in session.registry.entries("metric")]

    # a record says whether a metric is for sets; whether it needs a reference may depend on its options
    alone = [r for r in records if isinstance(r, Metric) and r.scope == "image"]
    unfit = [r.name for r in records if r not in alone]
    unfit += [r.name for r, m in zip(alone, metrics.images.values(), strict=True) if needs_reference(m, r)]

    if unfit:
        free = sorted(r.name for r in known if isinstance(r, Metric) and not r.reference and r.scope == "image")
        raise ConfigError(
            f"metric '{unfit[0]}' does not score a picture without a reference; these do: {', '.join(free)}"
        )
    return metrics


def alpha_curves(
    session: Session,
    pictures: Mapping[str, Path],
    decompositions: Mapping[str, Ref],
    alphas: Sequence[float],
    folder: Path,
) -> CurveFiles:
    """Measures the curves, writes ``alpha-curve.png`` and ``alpha-curve.csv``, and logs a run for each decomposition.

    Raises ImageError if no picture can be scored.
    """
    from texprior.evaluation.alpha_curve.figure import draw_curves

    # what can be refused is refused before a run is opened
    metrics = metrics_without_reference(session)
    built = {label: session.registry.build(DECOMPOSITION, ref) for label, ref in decompositions.items()}

    # all runs are open together, because each picture is measured for all decompositions before the next one is read
    with contextlib.ExitStack() as stack:
        about = {"metrics": [ref.model_dump() for ref in session.experiment.metrics], "alphas": list(alphas)}
        infos = {label: _info(session, label, ref, about, len(pictures)) for label, ref in decompositions.items()}
        runs = {label: stack.enter_context(session.tracker.run(info)) for label, info in infos.items()}
        curves = _measured(session, pictures, built, alphas, metrics)

        table, figure = folder / f"{NAME}.csv", folder / f"{NAME}.png"
        write_atomically(table, _csv(curves))
        draw_curves(curves, figure)
        for label, run in runs.items():
            _tell(run, curves, label, (figure, table))

        return CurveFiles(curves, figure, table, {label: run.where() for label, run in runs.items()})


def _measured(
    session: Session,
    pictures: Mapping[str, Path],
    decompositions: Mapping[str, Decomposer],
    alphas: Sequence[float],
    metrics: Metrics,
) -> Curves:
    """Scores every picture at every alpha. Raises ImageError if no picture could be scored."""
    scores: list[Score] = []
    strips: dict[str, list[Tensor]] = {}  # of the first picture
    broken: dict[str, str] = {}
    total = len(pictures) * len(decompositions)
    for number, (picture, path) in enumerate(pictures.items()):
        # scores are collected per picture first: a picture that fails halfway must be left out everywhere
        found: list[Score] = []
        strip: dict[str, list[Tensor]] = {}
        try:
            image = load_image(path)[None].to(session.device)
            for done, (label, decomposition) in enumerate(decompositions.items()):
                session.progress(NAME, number * len(decompositions) + done, total, {})
                with blaming("decomposition", label, path):
                    layers = decompose(image, decomposition)
                shown = [_rounded(with_texture(layers, alpha)) for alpha in alphas]
                for alpha, version in zip(alphas, shown, strict=True):
                    values = measure(version, None, metrics.images, str(path))
                    found += [Score(method_of(label, alpha), picture, key, float(v[0])) for key, v in values.items()]
                strip[label] = [version[0].cpu() for version in shown]
        except ImageError as error:
            broken[str(path)] = str(error)
            continue

        scores += found
        strips = strips or strip

    session.progress(NAME, total, total, {})
    if not scores:
        raise ImageError(f"no picture could be scored: {'; '.join(broken.values())}")
    return Curves(Scores(tuple(scores), metrics.better), tuple(decompositions), tuple(alphas), strips, broken)


def _rounded(image: Tensor) -> Tensor:
    """Clips and rounds to 8 bits, as in a file: no-reference metrics were made for that."""
    return (image.clamp(0, 1) * 255).round() / 255


def _csv(curves: Curves) -> bytes:
    """Returns the table of all scores as CSV, one line per score."""
    places = {method_of(label, alpha): (label, alpha) for label in curves.labels for alpha in curves.alphas}
    rows: list[list[object]] = [["decomposition", "alpha", "picture", "metric", "better", "value"]]
    for s in curves.scores.scores:
        label, alpha = places[s.method]
        rows.append([label, f"{alpha:g}", s.picture, s.metric, curves.scores.better[s.metric], f"{s.value:.6g}"])
    return csv_text(rows)


def _info(session: Session, label: str, ref: Ref, about: Mapping[str, object], pictures: int) -> RunInfo:
    """Returns the description of a decomposition's run; its id is random, so each measurement is a new run."""
    tags = {"texprior.stage": NAME, **component_tag(session.registry, "decomposition", "decomposition", ref)}
    for number, metric in enumerate(session.experiment.metrics):
        tags |= component_tag(session.registry, f"metrics.{number}", "metric", metric)
    return RunInfo(
        id=f"{NAME}-{uuid.uuid4().hex[:12]}",
        experiment=NAME,
        name=label,
        stage=NAME,
        params={"decomposition": ref.model_dump(), **about, "pictures": pictures},
        tags=tags,
    )


def _tell(run: Run, curves: Curves, label: str, files: Sequence[Path]) -> None:
    """Logs to a decomposition's run: the curve over alpha in percent, the strip, the change, and the files."""
    # a tracker's step must be an integer, so alpha is in percent; curve and strip share that axis
    points = {metric: curves.points(label, metric) for metric in curves.scores.better}
    for place, alpha in enumerate(curves.alphas):
        percent, at = round(100 * alpha), {metric: means[place] for metric, means in points.items()}
        values = {metric: mean.mean for metric, mean in at.items()}
        values |= {f"{metric}/low": mean.low for metric, mean in at.items()}
        values |= {f"{metric}/high": mean.high for metric, mean in at.items()}
        # few pictures have no interval: there is nothing to chart
        run.step(percent, **{name: value for name, value in values.items() if math.isfinite(value)})
        run.image("strip", curves.strips[label][place], percent)

    for metric in curves.scores.better:
        change = curves.change(label, metric)
        run.summary |= {f"{metric}/change": change.difference.mean, f"{metric}/improved": change.wins}
        run.notes.append(
            f"{metric} improves from alpha {curves.alphas[0]:g} to {curves.alphas[-1]:g} on {change.wins} of "
            f"{change.difference.pictures} pictures."
        )

    for file in files:
        run.artifact(file)
