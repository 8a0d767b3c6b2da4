"""Scores: one per method, picture and metric; their summary, and the CSV file that every summary can be redone from."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from texprior.store import write_atomically


@dataclass(frozen=True)
class Score:
    """One value. ``calls`` and ``texture_strength`` are those of a restored picture, else 0."""

    method: str
    picture: str
    metric: str
    value: float
    calls: int = 0
    texture_strength: float = 0.0


@dataclass(frozen=True)
class Mean:
    """A mean over pictures with its standard error and a 95 % bootstrap interval."""

    mean: float
    standard_error: float
    low: float
    high: float
    pictures: int


@dataclass(frozen=True)
class Paired:
    """How a method differs from a baseline, picture by picture: the mean difference, and who is better how often."""

    difference: Mean
    wins: int
    ties: int


@dataclass(frozen=True)
class Scores:
    """All scores of an evaluation, and the direction of each metric (``higher``, ``lower`` or ``one``)."""

    scores: tuple[Score, ...]
    better: Mapping[str, str]

    def methods(self) -> list[str]:
        """In the order of their first score."""
        return list(dict.fromkeys(s.method for s in self.scores))

    def of(self, method: str, metric: str) -> dict[str, float]:
        """Picture -> value."""
        return {s.picture: s.value for s in self.scores if (s.method, s.metric) == (method, metric)}

    def complete(self, metric: str) -> list[str]:
        """The pictures that every method has a finite score for: all methods are averaged over the same ones."""
        scored = [self.of(method, metric) for method in self.methods()]
        pictures = dict.fromkeys(s.picture for s in self.scores)
        return [p for p in pictures if all(math.isfinite(values.get(p, math.nan)) for values in scored)]

    def incomplete(self) -> dict[str, int]:
        """Metric -> number of pictures that are left out of its means, where there are any."""
        pictures = len({s.picture for s in self.scores})
        left_out = {metric: pictures - len(self.complete(metric)) for metric in self.better}
        return {metric: count for metric, count in left_out.items() if count}

    def summary(self) -> dict[str, dict[str, Mean]]:
        """Method -> metric -> mean over the pictures that are complete in the metric."""
        complete = {metric: self.complete(metric) for metric in self.better}
        return {
            method: {metric: mean_of([self.of(method, metric)[p] for p in complete[metric]]) for metric in self.better}
            for method in self.methods()
        }

    def paired(self, method: str, baseline: str, metric: str) -> Paired:
        """A method against a baseline over the complete pictures; ``wins`` counts where the method is better."""
        a, b = self.of(method, metric), self.of(baseline, metric)
        pictures = self.complete(metric)
        gains = [loss_of(self.better[metric], b[p]) - loss_of(self.better[metric], a[p]) for p in pictures]
        difference = mean_of([a[p] - b[p] for p in pictures])
        return Paired(difference, sum(gain > 0 for gain in gains), sum(gain == 0 for gain in gains))

    def against(self, baseline: str) -> dict[str, dict[str, Paired]]:
        """Method -> metric -> its paired difference from a baseline, for every restored version."""
        restored = [m for m in self.methods() if m.startswith("restored")] if baseline in self.methods() else []
        return {m: {metric: self.paired(m, baseline, metric) for metric in self.better} for m in restored}

    def means(self) -> dict[str, dict[str, float]]:
        """Method -> metric -> mean, for JSON."""
        return {m: {k: mean.mean for k, mean in row.items()} for m, row in self.summary().items()}

    def flat(self) -> dict[str, float]:
        """``method/metric`` -> mean, for a tracker."""
        return {f"{m}/{k}": v for m, row in self.means().items() for k, v in row.items()}

    def write(self, path: Path) -> None:
        """One line per score."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["method", "calls", "texture_strength", "picture", "metric", "better", "value"])
        writer.writerows(
            [s.method, s.calls, s.texture_strength, s.picture, s.metric, self.better[s.metric], f"{s.value:.6g}"]
            for s in self.scores
        )
        write_atomically(path, text.getvalue().encode())


def mean_of(values: Sequence[float], resamples: int = 2000) -> Mean:
    """Mean, standard error and percentile bootstrap over pictures (seeded, so that it can be redone)."""
    finite = np.array([v for v in values if math.isfinite(v)], dtype=np.float64)
    if finite.size == 0:
        return Mean(math.nan, math.nan, math.nan, math.nan, 0)
    error = float(finite.std(ddof=1) / math.sqrt(finite.size)) if finite.size > 1 else math.nan
    rng = np.random.default_rng(0)
    means = finite[rng.integers(finite.size, size=(resamples, finite.size))].mean(1)
    low, high = np.percentile(means, [2.5, 97.5])
    return Mean(float(finite.mean()), error, float(low), float(high), finite.size)


def read_scores(path: Path) -> Scores:
    """Scores from their CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    scores = tuple(
        Score(r["method"], r["picture"], r["metric"], float(r["value"]), int(r["calls"]), float(r["texture_strength"]))
        for r in rows
    )
    return Scores(scores, {r["metric"]: r["better"] for r in rows})


def loss_of(better: str, value: float) -> float:
    """A value as something to minimise."""
    return {"higher": -value, "lower": value, "one": abs(value - 1)}[better]


def at_chosen_strength(scores: Scores, by: str) -> list[Score]:
    """Restored pictures at the texture strength w that metric ``by`` likes best on the other half of the pictures.

    The halves are every second picture; each half is scored by every metric at what the other half chose. Empty where
    there are fewer than two strengths or pictures.
    """
    restored = [s for s in scores.scores if s.method.startswith("restored")]
    pictures = list(dict.fromkeys(s.picture for s in restored))
    strengths = sorted({s.texture_strength for s in restored})
    if min(len(pictures), len(strengths)) < 2:
        return []
    halves = (pictures[::2], pictures[1::2])
    chosen = []
    for calls in dict.fromkeys(s.calls for s in restored):
        for half, other in (halves, halves[::-1]):
            w = min(strengths, key=lambda w: _mean_loss(restored, scores.better[by], calls, by, half, w))
            chosen += [s for s in restored if (s.calls, s.texture_strength) == (calls, w) and s.picture in other]
    return [replace(s, method=f"restored {s.calls} calls w chosen") for s in chosen]


def _mean_loss(scores: Sequence[Score], better: str, calls: int, by: str, pictures: Sequence[str], w: float) -> float:
    wanted = (calls, by, w)
    values = [s.value for s in scores if (s.calls, s.metric, s.texture_strength) == wanted and s.picture in pictures]
    finite = [v for v in values if math.isfinite(v)]
    return loss_of(better, sum(finite) / len(finite)) if finite else math.inf
