"""Holds scores, summarises them, and reads and writes them as CSV.

There is one score per method, picture and metric. A summary can be redone from the CSV file.
"""

from __future__ import annotations

import csv
import functools
import math
from collections.abc import Mapping, Sequence, Set
from dataclasses import astuple, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from texprior.evaluation.intervals import mean_interval
from texprior.runtime.notebook import data_frame, html_table
from texprior.runtime.text_tables import csv_text
from texprior.store import write_atomically

if TYPE_CHECKING:
    import pandas

K = TypeVar("K")


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
    """A mean over pictures with its standard error and a 95 % bootstrap interval.

    The interval is NaN below ``intervals.FEWEST`` pictures, the standard error for one picture.
    """

    mean: float
    standard_error: float
    low: float
    high: float
    pictures: int


@dataclass(frozen=True)
class Paired:
    """How a method differs from a baseline, picture by picture.

    It holds the mean difference, and counts of wins and ties.
    """

    difference: Mean
    wins: int
    ties: int


@dataclass(frozen=True)
class Scores:
    """All scores of an evaluation, and the direction of each metric (``higher``, ``lower`` or ``one``)."""

    scores: tuple[Score, ...]
    better: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Scores({', '.join(self.methods())}: {', '.join(self.better)} of {len(self.pictures())} pictures)"

    def _repr_html_(self) -> str:
        """Shows the means and their standard errors in a notebook."""
        rows = [
            [method, *(f"{row[metric].mean:.4g} ± {row[metric].standard_error:.2g}" for metric in self.better)]
            for method, row in self.summary().items()
        ]
        headings = [f"{metric} ({'to 1' if way == 'one' else way})" for metric, way in self.better.items()]
        return html_table(repr(self), ["method", *headings], rows)

    def to_pandas(self) -> pandas.DataFrame:
        """Returns a data frame with a row for each score, and the fields of ``Score`` as columns."""
        return data_frame([f.name for f in fields(Score)], (astuple(score) for score in self.scores))

    # An evaluation has many scores, and a summary asks for each pair of method and metric several times, so they are
    # sorted into pairs once.
    @functools.cached_property
    def _by_pair(self) -> Mapping[tuple[str, str], dict[str, float]]:
        found: dict[tuple[str, str], dict[str, float]] = {}
        for s in self.scores:
            found.setdefault((s.method, s.metric), {})[s.picture] = s.value
        return found

    def pictures(self) -> list[str]:
        """Lists the pictures in the order of their first score."""
        return list(dict.fromkeys(s.picture for s in self.scores))

    def methods(self) -> list[str]:
        """Lists the methods in the order of their first score."""
        return list(dict.fromkeys(method for method, _ in self._by_pair))

    def of(self, method: str, metric: str) -> dict[str, float]:
        """Returns picture -> value of one method and metric; empty if there is none."""
        return dict(self._by_pair.get((method, metric), {}))

    def complete(self, metric: str) -> list[str]:
        """Lists the pictures that every method has a finite score for.

        All methods are averaged over the same pictures.
        """
        return list(self._complete[metric])

    @functools.cached_property
    def _complete(self) -> Mapping[str, list[str]]:
        pictures, methods = self.pictures(), self.methods()

        def scored_by_all(metric: str) -> list[str]:
            rows = [self.of(method, metric) for method in methods]
            return [p for p in pictures if all(math.isfinite(row.get(p, math.nan)) for row in rows)]

        return {metric: scored_by_all(metric) for metric in self.better}

    def incomplete(self) -> dict[str, int]:
        """Returns metric -> number of pictures that its means leave out, if there are any."""
        pictures = len(self.pictures())
        left_out = {metric: pictures - len(self.complete(metric)) for metric in self.better}
        return {metric: count for metric, count in left_out.items() if count}

    def summary(self) -> dict[str, dict[str, Mean]]:
        """Returns method -> metric -> mean over the pictures that are complete in the metric."""
        complete = {metric: self.complete(metric) for metric in self.better}

        def mean(method: str, metric: str) -> Mean:
            values = self.of(method, metric)
            return mean_of([values[p] for p in complete[metric]])

        return {method: {metric: mean(method, metric) for metric in self.better} for method in self.methods()}

    def paired(self, method: str, baseline: str, metric: str) -> Paired:
        """Compares a method with a baseline over the complete pictures.

        ``wins`` counts the pictures on which the method is better.
        """
        a, b = self.of(method, metric), self.of(baseline, metric)
        pictures = self.complete(metric)
        gains = [loss_of(self.better[metric], b[p]) - loss_of(self.better[metric], a[p]) for p in pictures]
        difference = mean_of([a[p] - b[p] for p in pictures])
        return Paired(difference, sum(gain > 0 for gain in gains), sum(gain == 0 for gain in gains))

    def against(self, baseline: str, methods: Sequence[str] | None = None) -> dict[str, dict[str, Paired]]:
        """Returns method -> metric -> paired difference from a baseline, by default for every restored version."""
        chosen = [m for m in self.methods() if m.startswith("restored")] if methods is None else methods
        compared = chosen if baseline in self.methods() else []
        return {m: {metric: self.paired(m, baseline, metric) for metric in self.better} for m in compared}

    def restored_method(self) -> str:
        """Returns the name of the restored pictures' row.

        If there are several rows, it is the last one. Empty if there is none.
        """
        return next((method for method in reversed(self.methods()) if method.startswith("restored")), "")

    def restored_means(self) -> dict[str, float]:
        """Returns metric -> mean of the restored pictures; empty if there are none."""
        return self.means().get(self.restored_method(), {})

    def means(self) -> dict[str, dict[str, float]]:
        """Returns method -> metric -> mean, for JSON."""
        return {m: {k: mean.mean for k, mean in row.items()} for m, row in self.summary().items()}

    def flat(self) -> dict[str, float]:
        """Returns ``method/metric`` -> mean, for a tracker."""
        return {f"{m}/{k}": v for m, row in self.means().items() for k, v in row.items()}

    def write(self, path: Path) -> None:
        """Writes a CSV file with one line per score."""
        head = ["method", "calls", "texture_strength", "picture", "metric", "better", "value"]
        rows = (
            [s.method, s.calls, s.texture_strength, s.picture, s.metric, self.better[s.metric], f"{s.value:.6g}"]
            for s in self.scores
        )
        write_atomically(path, csv_text([head, *rows]))


def mean_of(values: Sequence[float]) -> Mean:
    """Computes mean, standard error and bootstrap interval over pictures; only finite values count."""
    finite = np.array([v for v in values if math.isfinite(v)], dtype=np.float64)
    if finite.size == 0:
        return Mean(math.nan, math.nan, math.nan, math.nan, 0)
    error = float(finite.std(ddof=1) / math.sqrt(finite.size)) if finite.size > 1 else math.nan
    return Mean(float(finite.mean()), error, *mean_interval(finite), finite.size)


def read_scores(path: Path) -> Scores:
    """Reads scores from their CSV file."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    scores = tuple(
        Score(r["method"], r["picture"], r["metric"], float(r["value"]), int(r["calls"]), float(r["texture_strength"]))
        for r in rows
    )
    return Scores(scores, {r["metric"]: r["better"] for r in rows})


def loss_of(better: str, value: float) -> float:
    """Turns a value into a loss, which is to be minimised."""
    return {"higher": -value, "lower": value, "one": abs(value - 1)}[better]


def pareto_front(losses: Mapping[K, Sequence[float]]) -> list[K]:
    """Lists the candidates that no other candidate beats.

    No other one is at most as large in every loss and smaller in one.
    """

    def beats(a: Sequence[float], b: Sequence[float]) -> bool:
        return a != b and all(x <= y for x, y in zip(a, b, strict=True))

    return [name for name, own in losses.items() if not any(beats(other, own) for other in losses.values())]


def at_chosen_strength(scores: Scores, by: str) -> list[Score]:
    """Returns scores at the best texture strength w, chosen on other pictures.

    The metric ``by`` decides which w is best. The pictures are split into two halves of every second picture. Each half
    is scored by every metric at the w that is best on the other half. Empty with fewer than two strengths or pictures.
    """
    restored = [s for s in scores.scores if s.method.startswith("restored")]
    pictures = list(dict.fromkeys(s.picture for s in restored))
    strengths = sorted({s.texture_strength for s in restored})
    if min(len(pictures), len(strengths)) < 2:
        return []
    halves = (set(pictures[::2]), set(pictures[1::2]))
    chosen = []
    for calls in dict.fromkeys(s.calls for s in restored):
        for half, other in (halves, halves[::-1]):
            w = min(strengths, key=lambda w: _mean_loss(restored, scores.better[by], calls, by, half, w))
            chosen += [s for s in restored if (s.calls, s.texture_strength) == (calls, w) and s.picture in other]
    return [replace(s, method=f"restored {s.calls} calls w chosen") for s in chosen]


def _mean_loss(scores: Sequence[Score], better: str, calls: int, by: str, pictures: Set[str], w: float) -> float:
    wanted = (calls, by, w)
    values = [s.value for s in scores if (s.calls, s.metric, s.texture_strength) == wanted and s.picture in pictures]
    finite = [v for v in values if math.isfinite(v)]
    return loss_of(better, sum(finite) / len(finite)) if finite else math.inf
