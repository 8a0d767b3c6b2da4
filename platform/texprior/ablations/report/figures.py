"""Draws an ablation's figures: differences with intervals, each picture's difference, two metrics in a plane."""

from __future__ import annotations

import io
import itertools
import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from texprior.ablations.comparison import Results
from texprior.ablations.statistics import two_way_interval
from texprior.evaluation.tables import ARROWS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BETTER, WORSE, OPEN = "#0072b2", "#d55e00", "#7f7f7f"
"""Colours of separated and better, separated and worse, neither: colour-blind readers see them apart too."""

# Height of an arm's row, which fits a line of 9 points; most panels side by side, which a page of 11 inches holds; most
# letters in a line of an axis label, which fits a panel of 3.6 inches at 8 points.
_ROW_INCHES, _COLUMNS, _LETTERS = 0.34, 3, 44
_MOST_DOTS = 5000
"""Dots that a figure draws as shapes, 150 bytes each; more of them are pixels within it, so that a page stays small."""


def draw_forest(results: Results) -> Figure:
    """Draws a panel for each metric.

    It shows every arm's difference from the baseline with its 95 % interval.
    """
    arms = _compared(results)
    metrics = [results.metric, *(m for m in results.better if m != results.metric)]
    columns = min(_COLUMNS, len(metrics))
    lines = math.ceil(len(metrics) / columns)
    figure = _figure(3.6 * columns, lines * (1.3 + _ROW_INCHES * len(arms)))

    # one row order for all panels, that of the ranking metric, so names are needed only in the first column
    for place, metric in enumerate(metrics):
        axes = figure.add_subplot(lines, columns, place + 1)
        _rows(axes, arms, labels=place % columns == 0)
        for row, arm in enumerate(arms):
            _interval(axes, results, arm, metric, row)
        _zero(axes, results, metric)
        axes.set_title(f"{metric} {ARROWS[results.better[metric]]}", fontsize=10, loc="left")
    return figure


def draw_strips(results: Results) -> Figure:
    """Draws the ranking metric, with a dot for each picture.

    The dot is the picture's difference from the baseline with seeds averaged.
    """
    arms, metric = _compared(results), results.metric
    figure = _figure(8.4, 1.3 + 1.6 * _ROW_INCHES * len(arms))
    axes = figure.add_subplot()
    _rows(axes, arms, labels=True)
    values, sign = results.values[metric], 1 if results.better[metric] == "higher" else -1
    as_pixels = len(arms) * len(results.pictures[metric]) > _MOST_DOTS
    for row, arm in enumerate(arms):
        differences = results.natural(values[arm], metric).mean(0) - results.natural(
            values[results.baseline], metric
        ).mean(0)
        colours = [BETTER if sign * d > 0 else WORSE if d else OPEN for d in differences]
        # a fixed wave spreads the dots over the row: random offsets would differ each time the figure is drawn
        offsets = row + 0.25 * np.sin(2.4 * np.arange(differences.size))
        axes.scatter(differences, offsets, c=colours, s=12, alpha=0.6, linewidths=0, rasterized=as_pixels)
        _interval(axes, results, arm, metric, row, colour="black")
    _zero(axes, results, metric)
    return figure


def draw_plane(results: Results, against: str, series: Sequence[Sequence[str]]) -> Figure:
    """Draws the arms in the plane of two metrics.

    Joins each series, and numbers the arms that no other beats.
    """
    figure = _figure(8.4, 5.4)
    axes, metric = figure.add_subplot(), results.metric
    colours = _colours(len(series))
    others, own = results.table[against], results.table[metric]

    # series: an arm without a score in either metric has no place
    at = {arm: (others[arm].mean, own[arm].mean) for arm in results.ranking() if arm in others}
    for arms, colour in zip(series, colours, strict=True):
        shown = [arm for arm in arms if arm in at]
        if shown:
            axes.plot(*zip(*(at[arm] for arm in shown), strict=True), "o-", color=colour, linewidth=1, markersize=4)
            axes.lines[-1].set_label(_in_common(arms))

    # baseline, front and predictor
    axes.plot(*at[results.baseline], "o", markersize=11, markerfacecolor="none", color="black", label="baseline")
    front = results.front(against)
    axes.plot(
        *zip(*(at[arm] for arm in front), strict=True), "--", color="black", linewidth=0.8, zorder=0, label="front"
    )
    for place, arm in enumerate(front):
        # numbers alternate between both sides, so that neighbours on the front do not hide each other's
        offset = (5, 4) if place % 2 else (-10, -9)
        axes.annotate(f"{place + 1}", at[arm], offset, textcoords="offset points", fontsize=8)
    if "predictor" in results.references:
        predictor = results.references["predictor"]
        axes.plot(predictor[against], predictor[metric], "x", color=OPEN, label="predictor (no arm)")

    # points of the front have room for a number only: empty lines bring the arms' names into the legend
    for place, arm in enumerate(front):
        axes.plot([], [], linestyle="", marker=f"${place + 1}$", color="black", label=arm)
    for set_label, name in ((axes.set_xlabel, against), (axes.set_ylabel, metric)):
        set_label(f"{name} {ARROWS[results.better[name]]}", fontsize=9)
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    axes.grid(alpha=0.25)
    return figure


def draw_compute(results: Results, flops: Mapping[str, float]) -> Figure:
    """Draws the score of each arm over the FLOPs of its trainings, with its 95 % interval.

    The interval is over pictures and trainings, as in the comparison, but of the arm alone.
    """
    figure = _figure(8.4, 4.2)
    axes, metric = figure.add_subplot(), results.metric
    arms = [arm for arm in results.ranking() if arm in flops]
    for arm, colour in zip(arms, _colours(len(arms)), strict=True):
        values = results.values[metric][arm]
        low, high = two_way_interval(values, np.zeros((1, values.shape[1])))
        if math.isfinite(low):
            axes.plot([flops[arm]] * 2, [low, high], color=colour, linewidth=2, solid_capstyle="butt")
        mark = {results.baseline: "s", results.rival: "X"}.get(arm, "o")
        axes.plot(flops[arm], values.mean(), mark, color=colour, markersize=7, label=arm, linestyle="")
    axes.set_xscale("log")
    axes.set_xlabel("FLOPs of the trainings of one seed", fontsize=9)
    axes.set_ylabel(f"{metric} {ARROWS[results.better[metric]]}", fontsize=9)
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    axes.grid(alpha=0.25)
    return figure


def _colours(count: int) -> list[tuple[float, float, float, float]]:
    """Returns colours that differ: from a qualitative palette of ten or, for more than ten, shades of one map."""
    import matplotlib

    if count <= len(matplotlib.colormaps["tab10"].colors):  # type: ignore[attr-defined]
        return [matplotlib.colormaps["tab10"](n) for n in range(count)]
    return [matplotlib.colormaps["turbo"](n / (count - 1)) for n in range(count)]


def _in_common(arms: Sequence[str]) -> str:
    """Returns the words with which all names of a series begin; the whole name if the series is one arm."""
    if len(arms) == 1:
        return arms[0]
    words = zip(*(arm.split(" ") for arm in arms), strict=False)
    return " ".join(first[0] for first in itertools.takewhile(lambda w: len(set(w)) == 1, words)) or "arms"


def figure_png(figure: Figure, dpi: int = 144) -> bytes:
    """Returns the figure as a PNG."""
    # without matplotlib's version among the metadata, the same figure is the same bytes
    return _saved(figure, "png", {"Software": None}, dpi)


def figure_svg(figure: Figure) -> bytes:
    """Returns the figure as an SVG with its letters as shapes, which needs no font."""
    import matplotlib

    # a fixed salt for its ids and no date: the same figure is the same bytes
    with matplotlib.rc_context({"svg.hashsalt": "texprior"}):
        return _saved(figure, "svg", {"Date": None, "Creator": None})


def _saved(figure: Figure, kind: str, metadata: Mapping[str, None], dpi: int | None = None) -> bytes:
    """Returns the figure in a format; without ``dpi``, at the resolution that matplotlib is set to."""
    buffer = io.BytesIO()
    figure.savefig(buffer, bbox_inches="tight", format=kind, dpi=dpi, metadata=metadata)
    return buffer.getvalue()


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, max(height, 1.6)), layout="constrained")


def _compared(results: Results) -> list[str]:
    return [arm for arm in results.ranking() if arm != results.baseline]


def _rows(axes: Axes, arms: Sequence[str], labels: bool) -> None:
    """Sets up an axis with a row for each arm, from the best at the top to the worst."""
    axes.set_yticks(range(len(arms)), arms if labels else [""] * len(arms), fontsize=9)
    axes.set_ylim(len(arms) - 0.5, -0.5)
    axes.tick_params(axis="x", labelsize=8)
    axes.tick_params(axis="y", length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def _interval(axes: Axes, results: Results, arm: str, metric: str, row: int, colour: str = "") -> None:
    """Draws an arm's difference and its interval, in the colour of its verdict by default.

    The mark is a diamond if the arm is separated, an open circle if it is not tested.
    """
    found = results.of(arm, metric)
    if found is None or found.difference is None:
        return
    difference = found.difference
    mean, low, high = results.shown(difference, metric)
    colour = colour or ((BETTER if difference.better else WORSE) if difference.separated else OPEN)
    if math.isfinite(low):
        axes.plot([low, high], [row, row], color=colour, linewidth=2, solid_capstyle="butt")
    inside = "white" if difference.not_tested else colour
    mark = "D" if difference.separated else "o"
    axes.plot([mean], [row], marker=mark, markersize=5, color=colour, markerfacecolor=inside)


def _zero(axes: Axes, results: Results, metric: str) -> None:
    """Draws the baseline's line at 0, and labels which side of it is better."""
    axes.axvline(0, color="black", linewidth=0.8)
    low, high = axes.get_xlim()
    axes.locator_params(axis="x", nbins=5)
    # at least a twentieth of the width stays free beyond the line, also if all arms are on one side of it
    axes.set_xlim(min(low, -0.05 * (high - low)), max(high, 0.05 * (high - low)))
    of = "of the distance from 1; " if results.better[metric] == "one" else ""
    side = "right is better →" if results.better[metric] == "higher" else "← left is better"
    baseline = textwrap.fill(f"minus {results.baseline}", _LETTERS)
    axes.set_xlabel(f"{baseline}\n{of}{side}", fontsize=8)
