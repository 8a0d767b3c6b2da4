"""alpha-curve: no-reference quality against the share alpha of texture in a picture, as in figure 1 of the poster."""

from __future__ import annotations

import contextlib
import logging
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
"""Of the experiment in the tracker, and of the files."""


@dataclass(frozen=True)
class CurveFiles:
    """The curves, the files that show them, and where each decomposition's run is shown."""

    curves: Curves
    figure: Path
    table: Path
    runs: Mapping[str, Mapping[str, str]]


def label_decompositions(refs: Sequence[Ref]) -> dict[str, Ref]:
    """A name for each decomposition: its own, with the options that tell it from others of its name.

    Raises ConfigError where two are the same.
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
    """The experiment's metrics. Raises ConfigError for one that scores no picture by itself."""
    metrics = build_metrics(session)
    records = [session.registry.find("metric", ref.name).component for ref in session.experiment.metrics]
    known = [entry.component for entry in session.registry.entries("metric")]
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
    """Measures the curves, writes ``alpha-curve.png`` and ``alpha-curve.csv``, and tells a run for each decomposition.

    Raises ImageError where no picture can be read.
    """
    from texprior.evaluation.alpha_curve.figure import draw_curves

    metrics = metrics_without_reference(session)
    built = {label: session.registry.build(DECOMPOSITION, ref) for label, ref in decompositions.items()}
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
    scores: list[Score] = []
    strips: dict[str, list[Tensor]] = {}  # of the first picture
    broken: dict[str, str] = {}
    total = len(pictures) * len(decompositions)
    for number, (picture, path) in enumerate(pictures.items()):
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
    """Clipped and rounded to 8 bits, as a file would hold it: that is what no-reference metrics were made for."""
    return (image.clamp(0, 1) * 255).round() / 255


def _csv(curves: Curves) -> bytes:
    places = {method_of(label, alpha): (label, alpha) for label in curves.labels for alpha in curves.alphas}
    rows: list[list[object]] = [["decomposition", "alpha", "picture", "metric", "better", "value"]]
    for s in curves.scores.scores:
        label, alpha = places[s.method]
        rows.append([label, f"{alpha:g}", s.picture, s.metric, curves.scores.better[s.metric], f"{s.value:.6g}"])
    return csv_text(rows)


def _info(session: Session, label: str, ref: Ref, about: Mapping[str, object], pictures: int) -> RunInfo:
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
    """The curve over alpha in percent, the strip on the same axis, the change, and the files."""
    points = {metric: curves.points(label, metric) for metric in curves.scores.better}
    for place, alpha in enumerate(curves.alphas):
        percent, at = round(100 * alpha), {metric: means[place] for metric, means in points.items()}
        values = {metric: mean.mean for metric, mean in at.items()}
        values |= {f"{metric}/low": mean.low for metric, mean in at.items()}
        values |= {f"{metric}/high": mean.high for metric, mean in at.items()}
        run.step(percent, **values)
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
