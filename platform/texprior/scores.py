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

    def summary(self) -> dict[str, dict[str, Mean]]:
        """Method -> metric -> mean."""
        return {
            method: {metric: mean_of(list(self.of(method, metric).values())) for metric in self.better}
            for method in self.methods()
        }

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


def read(path: Path) -> Scores:
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
