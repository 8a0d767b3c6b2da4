"""Draws the alpha curves.

The figure has a strip of pictures for each decomposition, and the scores over alpha.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from texprior.evaluation.contact_sheet import most_detailed
from texprior.evaluation.intervals import FEWEST, NO_INTERVAL
from texprior.evaluation.tables import ARROWS
from texprior.flow.image import to_uint8

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from texprior.evaluation.alpha_curve.curves import Curves

CROP = 160
"""Side of the square that the strip shows of a picture, px: the square with the most detail.

A whole photograph in a cell of at most 2.5 inches would be so small that its texture is lost.
"""
# Inches: the least and the most width of a strip's cell, and the height of the curves. 110 dpi keeps ten inches, the
# width of two panels, at 1100 px, which a screen shows whole.
_CELL_IN, _CURVE_IN, _DPI = (1.25, 2.5), 4.2, 110
_ALPHA = r"$\alpha$"


def draw_curves(curves: Curves, path: Path) -> Path:
    """Draws the curves to a PNG and returns its path.

    Above there is a strip for each decomposition: the first picture at every alpha, with its score by the first metric.
    Below there is a panel for each metric: its mean over pictures with the 95 % bootstrap interval.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # the wider part, strips or curves, decides the width; cells grow with it only up to their largest size
    rows, columns, metrics = len(curves.labels), len(curves.alphas), list(curves.scores.better)
    width_in = max(columns * _CELL_IN[0] + 1.6, 5.0 * len(metrics))
    cell_in = min((width_in - 0.6) / columns - 0.15, _CELL_IN[1])
    strips_in = rows * (cell_in + 0.35) + 0.6
    figure = Figure(figsize=(width_in, strips_in + _CURVE_IN), dpi=_DPI, layout="constrained")
    # this canvas draws without a display, independent of the backend that the user has set
    FigureCanvasAgg(figure)
    above, below = figure.subfigures(2, 1, height_ratios=(strips_in, _CURVE_IN), squeeze=False)[:, 0]

    # the strip shows the picture that was scored first, so the title has the picture of the first score
    picture = curves.scores.scores[0].picture
    above.suptitle(f"{picture}: a square of {CROP} px, with the {metrics[0]} of the whole picture", fontsize=9)
    cells = above.subplots(rows, columns, squeeze=False)
    for label, row in zip(curves.labels, cells, strict=True):
        _strip(curves, label, metrics[0], row)
    for metric, axes in zip(metrics, below.subplots(1, len(metrics), squeeze=False)[0], strict=True):
        _curves(curves, metric, axes)

    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    return path


def _strip(curves: Curves, label: str, metric: str, row: Sequence[Axes]) -> None:
    pictures = [to_uint8(picture) for picture in curves.strips[label]]
    # the last alpha has the most texture; all cells show the same square, so that only alpha differs
    top, left = most_detailed(pictures[-1], CROP)
    values = curves.first(label, metric)
    for axes, picture, alpha, value in zip(row, pictures, curves.alphas, values, strict=True):
        axes.imshow(picture[top : top + CROP, left : left + CROP], interpolation="nearest")
        axes.set(xticks=[], yticks=[])
        score = f"{value:.2f}" if math.isfinite(value) else "none"
        axes.set_title(f"{_ALPHA} {alpha:g}:  {score}", fontsize=8, pad=3)
    row[0].set_ylabel(f"{label}\n{metric}", fontsize=9)


def _curves(curves: Curves, metric: str, axes: Axes) -> None:
    from matplotlib import colormaps

    # the palette has ten colours: from the eleventh decomposition on, colours repeat with another dash
    colours, dashes = colormaps["tab10"].colors, ("-", "--", ":", "-.")  # type: ignore[attr-defined]
    for number, label in enumerate(curves.labels):
        points, change = curves.points(label, metric), curves.change(label, metric)
        colour, dash = colours[number % len(colours)], dashes[number // len(colours) % len(dashes)]
        better = f"{label}: better on {change.wins} of {change.difference.pictures}"
        axes.plot(curves.alphas, [p.mean for p in points], dash, color=colour, marker="o", markersize=3, label=better)
        axes.fill_between(
            curves.alphas, [p.low for p in points], [p.high for p in points], color=colour, alpha=0.12, linewidth=0
        )

    pictures = len(curves.scores.complete(metric))
    arrow = ARROWS[curves.scores.better[metric]]
    axes.set(xlabel=f"share of the texture, {_ALPHA}", ylabel=f"{metric} {arrow}")
    spread = "95 % bootstrap interval" if pictures >= FEWEST else NO_INTERVAL
    axes.set_title(f"mean over {pictures} picture{'s' * (pictures != 1)}, {spread}", fontsize=9)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7, title=f"{_ALPHA} {curves.alphas[-1]:g} against {curves.alphas[0]:g}", title_fontsize=7)
