"""Draws the front of a sweep that searches by several objectives."""

from __future__ import annotations

from pathlib import Path

from texprior.sweeps.records import SweepResult


def draw_front(result: SweepResult, path: Path) -> Path:
    """Writes a PNG with a panel for each cost; returns its path.

    A panel shows every finished trial by cost and metric, with the front joined and numbered.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    metric, *costs = result.objectives
    finished = [t for t in result.trials if t.state == "finished"]
    figure = Figure(figsize=(5.5 * len(costs), 4.2), layout="constrained")
    # this canvas draws without a display, independent of the backend that the user has set
    FigureCanvasAgg(figure)
    for axis, cost in zip(figure.subplots(1, len(costs), squeeze=False)[0], costs, strict=True):
        at = [(t.values[cost], t.values[metric]) for t in finished]
        axis.scatter(*zip(*at, strict=True), color="0.7", label="trials")
        # sorted by this cost: the line must not run back and forth
        front = sorted(result.front, key=lambda t: t.values[cost])
        axis.plot([t.values[cost] for t in front], [t.values[metric] for t in front], "o-", label="front")
        for trial in front:
            place = (trial.values[cost], trial.values[metric])
            axis.annotate(str(trial.number), place, (4, 4), textcoords="offset points")
        axis.set_xlabel(f"{cost} ({result.objectives[cost]} is better)")
        axis.set_ylabel(f"{metric} on val ({result.objectives[metric]} is better)")
        axis.legend()

    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    return path
