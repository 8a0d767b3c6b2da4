"""Figures of an ablation: differences with their intervals, and the pictures behind them."""

from __future__ import annotations

import io
import itertools
import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from texprior.ablations.comparison import Results
from texprior.evaluation.tables import ARROWS

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BETTER, WORSE, OPEN = "#0072b2", "#d55e00", "#7f7f7f"
"""Separated and better, separated and worse, not separated: told apart by those who see few colours too."""

_ROW_INCHES, _COLUMNS, _LETTERS = 0.34, 3, 44


def draw_forest(results: Results) -> Figure:
    """A panel for each metric: every arm's difference from the baseline with its 95 % interval."""
    arms = _compared(results)
    metrics = [results.metric, *(m for m in results.better if m != results.metric)]
    columns = min(_COLUMNS, len(metrics))
    lines = math.ceil(len(metrics) / columns)
    figure = _figure(3.6 * columns, lines * (1.3 + _ROW_INCHES * len(arms)))
    for place, metric in enumerate(metrics):
        axes = figure.add_subplot(lines, columns, place + 1)
        _rows(axes, arms, labels=place % columns == 0)
        for row, arm in enumerate(arms):
            _interval(axes, results, arm, metric, row)
        _zero(axes, results, metric)
        axes.set_title(f"{metric} {ARROWS[results.better[metric]]}", fontsize=10, loc="left")
    return figure


def draw_strips(results: Results) -> Figure:
    """The ranking metric: a dot for each picture, its difference from the baseline with seeds averaged."""
    arms, metric = _compared(results), results.metric
    figure = _figure(8.4, 1.3 + 1.6 * _ROW_INCHES * len(arms))
    axes = figure.add_subplot()
    _rows(axes, arms, labels=True)
    values, sign = results.values[metric], 1 if results.better[metric] == "higher" else -1
    for row, arm in enumerate(arms):
        differences = results.natural(values[arm], metric).mean(0) - results.natural(
            values[results.baseline], metric
        ).mean(0)
        colours = [BETTER if sign * d > 0 else WORSE if d else OPEN for d in differences]
        offsets = row + 0.25 * np.sin(2.4 * np.arange(differences.size))  # dots beside each other, the same every time
        axes.scatter(differences, offsets, c=colours, s=12, alpha=0.6, linewidths=0)
        _interval(axes, results, arm, metric, row, colour="black")
    _zero(axes, results, metric)
    return figure


def draw_plane(results: Results, against: str, series: Sequence[Sequence[str]]) -> Figure:
    """Every arm in the plane of two metrics, each series joined; those that no other beats in both are numbered."""
    figure = _figure(8.4, 5.4)
    axes, metric = figure.add_subplot(), results.metric
    colours = _colours(len(series))
    others, own = results.table[against], results.table[metric]
    at = {arm: (others[arm].mean, own[arm].mean) for arm in results.ranking() if arm in others}
    for arms, colour in zip(series, colours, strict=True):
        shown = [arm for arm in arms if arm in at]
        if shown:
            axes.plot(*zip(*(at[arm] for arm in shown), strict=True), "o-", color=colour, linewidth=1, markersize=4)
            axes.lines[-1].set_label(_in_common(arms))
    axes.plot(*at[results.baseline], "o", markersize=11, markerfacecolor="none", color="black", label="baseline")
    front = results.front(against)
    axes.plot(
        *zip(*(at[arm] for arm in front), strict=True), "--", color="black", linewidth=0.8, zorder=0, label="front"
    )
    for place, arm in enumerate(front):
        offset = (5, 4) if place % 2 else (-10, -9)  # neighbours on the front do not hide each other's numbers
        axes.annotate(f"{place + 1}", at[arm], offset, textcoords="offset points", fontsize=8)
    if "predictor" in results.references:
        predictor = results.references["predictor"]
        axes.plot(predictor[against], predictor[metric], "x", color=OPEN, label="predictor (no arm)")
    for place, arm in enumerate(front):
        axes.plot([], [], linestyle="", marker=f"${place + 1}$", color="black", label=arm)
    for set_label, name in ((axes.set_xlabel, against), (axes.set_ylabel, metric)):
        set_label(f"{name} {ARROWS[results.better[name]]}", fontsize=9)
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False)
    axes.grid(alpha=0.25)
    return figure


def _colours(count: int) -> list[Any]:
    """Colours that are told apart: the ten of a qualitative palette, and beyond those shades of one map."""
    import matplotlib

    if count <= len(matplotlib.colormaps["tab10"].colors):  # type: ignore[attr-defined]
        return [matplotlib.colormaps["tab10"](n) for n in range(count)]
    return [matplotlib.colormaps["turbo"](n / (count - 1)) for n in range(count)]


def _in_common(arms: Sequence[str]) -> str:
    """The words that the names of a series begin with; the whole name of an arm alone."""
    if len(arms) == 1:
        return arms[0]
    words = zip(*(arm.split(" ") for arm in arms), strict=False)
    return " ".join(first[0] for first in itertools.takewhile(lambda w: len(set(w)) == 1, words)) or "arms"


def figure_png(figure: Figure, dpi: int = 144) -> bytes:
    """The figure as a PNG."""
    return _saved(figure, format="png", dpi=dpi, metadata={"Software": None})


def figure_svg(figure: Figure) -> bytes:
    """The figure as an SVG with its letters as shapes, which needs no font."""
    import matplotlib

    with matplotlib.rc_context({"svg.hashsalt": "texprior"}):
        return _saved(figure, format="svg", metadata={"Date": None, "Creator": None})


def _saved(figure: Figure, **how: Any) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, bbox_inches="tight", **how)
    return buffer.getvalue()


def _figure(width: float, height: float) -> Figure:
    from matplotlib.figure import Figure

    return Figure(figsize=(width, max(height, 1.6)), layout="constrained")


def _compared(results: Results) -> list[str]:
    return [arm for arm in results.ranking() if arm != results.baseline]


def _rows(axes: Axes, arms: Sequence[str], labels: bool) -> None:
    """Rows from the best at the top to the worst."""
    axes.set_yticks(range(len(arms)), arms if labels else [""] * len(arms), fontsize=9)
    axes.set_ylim(len(arms) - 0.5, -0.5)
    axes.tick_params(axis="x", labelsize=8)
    axes.tick_params(axis="y", length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def _interval(axes: Axes, results: Results, arm: str, metric: str, row: int, colour: str = "") -> None:
    found = results.of(arm, metric)
    if found is None or found.difference is None:
        return
    difference = found.difference
    mean, low, high = results.shown(difference, metric)
    colour = colour or ((BETTER if difference.better else WORSE) if difference.separated else OPEN)
    if math.isfinite(low):
        axes.plot([low, high], [row, row], color=colour, linewidth=2, solid_capstyle="butt")
    axes.plot([mean], [row], marker="D" if difference.separated else "o", markersize=5, color=colour)


def _zero(axes: Axes, results: Results, metric: str) -> None:
    """The baseline's line, and which side of it is better."""
    axes.axvline(0, color="black", linewidth=0.8)
    low, high = axes.get_xlim()
    axes.locator_params(axis="x", nbins=5)
    axes.set_xlim(min(low, -0.05 * (high - low)), max(high, 0.05 * (high - low)))
    of = "of the distance from 1; " if results.better[metric] == "one" else ""
    side = "right is better →" if results.better[metric] == "higher" else "← left is better"
    baseline = textwrap.fill(f"minus {results.baseline}", _LETTERS)
    axes.set_xlabel(f"{baseline}\n{of}{side}", fontsize=8)
