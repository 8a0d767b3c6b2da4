"""Writes an ablation's report.

It is one HTML file that needs nothing else, figures as PNG, and every score as CSV.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from texprior.ablations.arms import series_of
from texprior.ablations.cells import Cell, Outcome, outcome_of, scores_of
from texprior.ablations.comparison import Results
from texprior.ablations.plan import Plan
from texprior.ablations.report import figures, text
from texprior.ablations.report.compute import caveats_of, compute_rows, flops_by_arm
from texprior.ablations.report.crops import ZOOM, Crop, crops_of, draw_grid
from texprior.evaluation.tables import ARROWS
from texprior.runtime.notebook import data_address, png_bytes
from texprior.runtime.run_record import current_commit
from texprior.runtime.text_tables import csv_lines, csv_text
from texprior.store import write_atomically
from texprior.training.compute import STAGES, predictors_of

REPORT, TABLES = "report.html", ("scores.csv", "summary.csv")
if TYPE_CHECKING:
    from matplotlib.figure import Figure

_TEMPLATE = "report.html.j2"
Outcomes = Sequence[tuple[Cell, Outcome]]


@dataclass(frozen=True)
class Report:
    """The files of a report, and the crops in it."""

    page: Path
    figures: list[Path]
    tables: list[Path]
    crops: list[Crop]


def write_report(plan: Plan, results: Results, command: str) -> Report:
    """Writes the page, the figures and the tables to the ablation's folder."""
    folder, crops = plan.folder, crops_of(plan, results)

    # figures, once there are differences to draw; SVG for the page, PNG for the tracker
    pictures, drawn = [], {}
    if len(results.ranking()) > 1 and results.baseline in results.ranking():
        for name, figure in _figures(plan, results).items():
            drawn[name] = data_address(figures.figure_svg(figure), "svg+xml")
            write_atomically(folder / f"{name}.png", figures.figure_png(figure))
            pictures.append(folder / f"{name}.png")
    if crops:
        pictures.append(draw_grid(crops, folder / "grid.png"))

    # tables
    outcomes = [(cell, outcome) for cell in plan.cells if (outcome := outcome_of(cell)) is not None]
    tables = [folder / name for name in TABLES]
    write_atomically(tables[0], csv_lines(_score_rows(outcomes)))
    write_atomically(tables[1], csv_text(_summary_rows(results)))

    # the page comes last: if there is a page, everything next to it is there too
    page = _page(plan, results, outcomes, crops, drawn, command)
    write_atomically(folder / REPORT, page.encode())
    return Report(folder / REPORT, pictures, tables, crops)


def _figures(plan: Plan, results: Results) -> dict[str, Figure]:
    """Returns the figures of a comparison, by name; some only if there is something to draw."""
    ablation = plan.session.experiment.ablation
    drawn = {"forest": figures.draw_forest(results), "strips": figures.draw_strips(results)}
    totals = {arm: sum(flops.values()) for arm, flops in flops_by_arm(plan).items() if arm in results.ranking()}
    if len(totals) > 1:
        drawn["compute"] = figures.draw_compute(results, totals)
    if ablation.against is not None and results.of(results.baseline, ablation.against) is not None:
        series = [[arm.name for arm in arms] for arms in series_of(plan.arms, ablation.grid)]
        series += [[name] for name in ablation.foreign]
        drawn["plane"] = figures.draw_plane(results, ablation.against, series)
    return drawn


def _page(
    plan: Plan,
    results: Results,
    outcomes: Outcomes,
    crops: Sequence[Crop],
    drawn: Mapping[str, str],
    command: str,
) -> str:
    """Renders the page from its template."""
    from jinja2 import Environment, StrictUndefined

    experiment = plan.session.experiment
    split, ablation = experiment.ablation.split, experiment.ablation
    sampled = ablation.model is not None
    source = files("texprior.ablations.report").joinpath(_TEMPLATE).read_text(encoding="utf-8")
    # names of arms and reasons of failures are any text, so they are escaped; a name that is missing here is an error
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    metrics = [results.metric, *(m for m in results.better if m != results.metric)]
    return environment.from_string(source).render(
        name=experiment.name,
        question=ablation.question,
        sentence=text.answer_sentence(results),
        basis=text.evidence_sentence(results, split, sampled),
        caveats=caveats_of(plan, results),
        how=text.explain_method(sampled),
        what=text.replicate_name(sampled),
        against=ablation.against,
        front=_front(results, ablation.against) if ablation.against and "plane" in drawn else [],
        metric=results.metric,
        baseline=results.baseline,
        heads={m: f"{m} {ARROWS[results.better[m]]}" for m in metrics},
        arms=[(arm, {m: text.metric_texts(results, arm, m) for m in metrics}) for arm in results.ranking()],
        references=[
            (name, {m: text.format_number(row[m], "#.4g") for m in metrics}) for name, row in results.references.items()
        ],
        drawn=drawn,
        crops=[_shown(crop) for crop in crops],
        textures=_textures(plan, outcomes),
        costs=_costs(plan, outcomes),
        compute=compute_rows(flops_by_arm(plan)),
        failures=[(cell.name, o.reason) for cell, o in outcomes if o.status == "failed"],
        unfinished=[cell.name for cell in plan.cells if all(cell is not ended for ended, _ in outcomes)],
        broken=sorted({f"{key}: {why}" for _, o in outcomes for key, why in o.broken.items()}),
        command=command,
        commit=current_commit(),
        seeds=", ".join(map(str, ablation.seeds)),
        split=split,
        versions=sorted({pair for _, o in outcomes for pair in o.versions.items()}),
        experiment=experiment.to_yaml(),
    )


def _front(results: Results, against: str) -> list[list[str]]:
    """Returns each arm on the front with its means in the other metric and in the ranking one."""
    return [
        [arm, *(text.metric_texts(results, arm, metric)["mean"] for metric in (against, results.metric))]
        for arm in results.front(against)
    ]


def _textures(plan: Plan, outcomes: Outcomes) -> list[list[str]]:
    """Returns a row for each arm: what it sets, its filter, R², explained share, texture, residual, adapter's size."""
    rows = []
    for arm in plan.arms:
        done = [o for cell, o in outcomes if cell.arm == arm.name and o.status == "finished"]
        texture = [o.texture_std for o in done if o.texture_std is not None]
        residual = [o.residual_std for o in done if o.residual_std is not None]
        r2s = [o.texture_r2 for o in done if o.texture_r2 is not None]
        ratio = f"{np.mean(residual) / np.mean(texture):.2f}" if texture and residual else "-"
        parameters = f"{done[0].trainable_parameters:,}" if done and not arm.alone else "-"
        r2 = f"{np.mean(r2s):.2f}" if r2s else "-"
        shares = [o.explained for o in done if o.explained is not None]
        explained = f"{np.mean(shares):.2f}" if shares else "not measured"
        spreads = _spread(texture), _spread(residual), ratio
        rows.append([arm.name, arm.sets, _filters(done), r2, explained, *spreads, parameters])
    return rows


def _filters(done: Sequence[Outcome]) -> str:
    """Returns the decomposition of an arm's trainings in words; if an option differs between them, all its values."""
    options: dict[str, dict[str, None]] = {}
    for outcome in done:
        for name, given in outcome.decomposition.items():
            for option, value in given.items():
                shown = f"{value:.4g}" if isinstance(value, float) else str(value)
                options.setdefault(f"{name}.{option}", {})[shown] = None
    names = ", ".join(dict.fromkeys(name for outcome in done for name in outcome.decomposition))
    settings = ", ".join(f"{key.partition('.')[2]} {' / '.join(values)}" for key, values in options.items())
    return f"{names}: {settings}" if settings else names or "-"


def _spread(values: Sequence[float]) -> str:
    """Returns the mean over trainings, and their standard deviation if it is visible in four decimals."""
    if not values:
        return "-"
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    return f"{np.mean(values):.4f}" + (f" ± {spread:.1g}" if spread >= 5e-5 else "")


def _costs(plan: Plan, outcomes: Outcomes) -> list[list[str]]:
    """Returns a row for each stage: number of trainings, images each, patch, images in all."""
    done = [(cell, o) for cell, o in outcomes if o.status == "finished"]
    whole = [(cell, o) for cell, o in done if cell.prior is not None]
    # by what decides their steps: a training that several cells share, or that a longer one goes on with, was done once
    found: dict[str, dict[object, tuple[int, int]]] = {stage: {} for stage in STAGES}

    def add(stage: str, cell: Cell, outcome: Outcome, *key: object) -> None:
        images, patch = outcome.images[stage], getattr(cell.experiment.training, stage).patch
        found[stage][key] = max(found[stage].get(key, (0, patch)), (images, patch))

    for cell, outcome in done:
        add("predictor", cell, outcome, cell.predictor.digest)
    for cell, outcome in whole:
        add("prior", cell, outcome, cell.prior and cell.prior.digest)
        add("adapter", cell, outcome, outcome.model.rpartition("-")[0] or outcome.model)
        folds = predictors_of(cell.experiment) - 1
        for n in range(folds):
            add("predictor", cell, outcome, cell.predictor.digest, folds, n)
    return [[stage, *_cost_row(list(trainings.values()))] for stage, trainings in found.items()]


def _cost_row(trainings: Sequence[tuple[int, int]]) -> list[str]:
    """Returns number of trainings, images each, patch and images in all, from the images and patch of each training."""
    each, patches = (sorted({training[i] for training in trainings}) for i in (0, 1))
    shown = f"{each[0]:,}" if len(each) == 1 else f"{each[0]:,} to {each[-1]:,}" if each else "-"
    patch = ", ".join(f"{side}x{side}" for side in patches) or "-"
    return [str(len(trainings)), shown, patch, f"{sum(images for images, _ in trainings):,}"]


def _shown(crop: Crop) -> dict[str, object]:
    """Returns what the template needs of a crop, with pictures as data URIs."""
    return {
        "picture": crop.picture,
        "whole": data_address(png_bytes(crop.whole)),
        "width": ZOOM * next(iter(crop.versions.values())).shape[1],
        "versions": [
            (name, data_address(png_bytes(image)), f"{crop.scores[name]:#.4g}" if name in crop.scores else "")
            for name, image in crop.versions.items()
        ],
    }


def _score_rows(outcomes: Outcomes) -> Iterator[list[object]]:
    """Yields the table of every score of every finished cell, with its head."""
    yield ["arm", "seed", "method", "calls", "texture_strength", "picture", "metric", "better", "value"]
    for cell, outcome in outcomes:
        if outcome.status == "finished":
            found = scores_of(cell)
            for s in found.scores:
                where = [cell.arm, cell.seed, s.method, s.calls, f"{s.texture_strength:g}", s.picture, s.metric]
                yield [*where, found.better[s.metric], f"{s.value:.6g}"]


def _summary_rows(results: Results) -> Iterator[list[object]]:
    """Yields the table of arms by metric, with its head.

    Differences are in the metric's own direction or, if 1 is best, of the distance from 1.
    """
    yield [
        *("arm", "baseline", "metric", "better", "pictures", "trainings", "mean", "standard_error", "seed_sd"),
        *("difference", "low", "high", "p", "p_holm", "p_pictures", "wins", "ties", "separated", "not_tested"),
    ]
    for metric, rows in results.table.items():
        for arm, row in rows.items():
            numbers = [f"{v:.6g}" for v in (row.mean, row.standard_error, row.seed_sd)]
            line = [arm, results.baseline, metric, results.better[metric], len(results.pictures[metric]), row.trainings]
            compared: list[object] = [""] * 10
            if (d := row.difference) is not None:
                compared = [f"{v:.6g}" for v in (*results.shown(d, metric), d.p, d.p_holm, d.p_pictures)]
                compared += [d.wins, d.ties, "" if d.not_tested else str(d.separated).lower(), d.not_tested]
            yield [*line, *numbers, *compared]
