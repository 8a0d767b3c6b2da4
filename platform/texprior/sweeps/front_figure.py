"""Draws the front of a sweep by several objectives."""

from __future__ import annotations

from pathlib import Path

from texprior.sweeps.records import SweepResult


def draw_front(result: SweepResult, path: Path) -> Path:
    """Writes a PNG: every finished trial by cost and metric, a panel for each cost; joins and numbers the front."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    metric, *costs = result.objectives
    finished = [t for t in result.trials if t.state == "finished"]
    figure, axes = plt.subplots(1, len(costs), figsize=(5.5 * len(costs), 4.2), squeeze=False, layout="constrained")
    for axis, cost in zip(axes[0], costs, strict=True):
        at = [(t.values[cost], t.values[metric]) for t in finished]
        axis.scatter(*zip(*at, strict=True), color="0.7", label="trials")
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
    plt.close(figure)
    return path
