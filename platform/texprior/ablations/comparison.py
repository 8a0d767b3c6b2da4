"""Compares the arms of an ablation: scores over trainings, and paired differences from the baseline."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from texprior.ablations.statistics import Difference, compare_arms, seed_sd, standard_error
from texprior.evaluation.intervals import Array
from texprior.evaluation.scores import Scores, loss_of, pareto_front


@dataclass(frozen=True)
class ArmScore:
    """The score of one arm in one metric.

    It is over the pictures that all arms have a score for.
    """

    mean: float
    standard_error: float
    """Over pictures, seeds averaged first."""
    seed_sd: float
    """Standard deviation over trainings of their means over pictures."""
    trainings: int
    difference: Difference | None = None
    """Difference from the baseline, as a loss; None for the baseline itself, and if the baseline has no score."""


@dataclass(frozen=True)
class Results:
    """The whole comparison.

    ``values`` is metric -> arm -> scores, (S, N), of the pictures in ``pictures[metric]``.
    """

    metric: str
    """The metric that ranks the arms."""
    baseline: str
    better: Mapping[str, str]
    arms: Sequence[str]
    pictures: Mapping[str, list[str]]
    left_out: Mapping[str, int]
    """Metric -> pictures that some arm has no finite score for."""
    values: Mapping[str, Mapping[str, Array]]
    table: Mapping[str, Mapping[str, ArmScore]]
    """Metric -> arm -> its row; an arm without a score is missing."""
    references: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    """Pictures that every arm starts from, ``degraded`` and ``predictor`` of the baseline: name -> metric -> mean."""

    def ranking(self) -> list[str]:
        """Lists the arms with a score, the best first."""
        # as losses: if 1 is best, trainings on both sides of 1 must not cancel in a mean of values
        rows = self.table[self.metric]
        losses = {arm: _mean_loss(self.values[self.metric][arm], self.better[self.metric]) for arm in rows}
        return sorted(losses, key=lambda arm: losses[arm])

    def front(self, against: str) -> list[str]:
        """Lists the arms that no other arm beats in both metrics.

        These are the ranking metric and another one. The arm that is best in the other comes first.
        """
        losses = {
            arm: [_mean_loss(self.values[name][arm], self.better[name]) for name in (against, self.metric)]
            for arm in self.ranking()
            if arm in self.values[against]
        }
        return sorted(pareto_front(losses), key=lambda arm: losses[arm])

    def of(self, arm: str, metric: str | None = None) -> ArmScore | None:
        """Returns an arm's row in a metric, by default the ranking one.

        None if the arm has no score.
        """
        return self.table[metric or self.metric].get(arm)

    def score(self, arm: str, picture: str) -> float:
        """Returns the ranking metric of one picture, averaged over an arm's trainings."""
        place = self.pictures[self.metric].index(picture)
        return float(self.values[self.metric][arm][:, place].mean())

    def natural(self, values: Array, metric: str) -> Array:
        """Returns scores in the units of shown differences.

        These are the scores as they are or, if 1 is best, the distance from 1.
        """
        return np.abs(values - 1) if self.better[metric] == "one" else values

    def shown(self, difference: Difference, metric: str) -> tuple[float, float, float]:
        """Returns (mean, low, high) in the metric's own direction.

        If 1 is best, they are those of the distance from 1.
        """
        mean, low, high = difference.mean, difference.low, difference.high
        return (-mean, -high, -low) if self.better[metric] == "higher" else (mean, low, high)


def results_of(
    scores: Mapping[str, Sequence[Scores]],
    arms: Sequence[str],
    baseline: str,
    metric: str,
    better: Mapping[str, str],
    sampled: bool = False,
) -> Results:
    """Compares arms by the scores of their finished trainings.

    ``scores`` is arm -> one ``Scores`` for each seed. ``sampled`` says that the arms sample one trained model.
    """
    values, pictures, left_out, table = {}, {}, {}, {}
    for name in better:
        # an arm without any finite score is left out, so that it does not cost the others all pictures
        found = {arm: [s.of(s.restored_method(), name) for s in scores[arm]] for arm in arms if scores.get(arm)}
        finite = {arm: rows for arm, rows in found.items() if all(map(_any_finite, rows))}

        # complete cases: all trainings of all arms are averaged over the same pictures
        seen = list(dict.fromkeys(p for rows in finite.values() for row in rows for p in row))
        pictures[name] = [
            p for p in seen if all(math.isfinite(r.get(p, math.nan)) for rs in finite.values() for r in rs)
        ]
        left_out[name] = len(seen) - len(pictures[name])

        # float64: differences between arms are small against the scores
        values[name] = {
            arm: np.array([[row[p] for p in pictures[name]] for row in rows], dtype=np.float64)
            for arm, rows in finite.items()
            if pictures[name]
        }
        table[name] = _rows(values[name], baseline, better[name], sampled)

    references = _references(scores.get(baseline, []), pictures)
    return Results(metric, baseline, better, arms, pictures, left_out, values, table, references)


def _rows(values: Mapping[str, Array], baseline: str, better: str, sampled: bool) -> dict[str, ArmScore]:
    """Returns the row of each arm in one metric: means in the metric's unit, differences as losses."""
    losses = {arm: _losses(scores, better) for arm, scores in values.items()}
    differences = compare_arms(losses, baseline, sampled) if baseline in losses else {}
    return {
        arm: ArmScore(float(scores.mean()), standard_error(scores), seed_sd(scores), len(scores), differences.get(arm))
        for arm, scores in values.items()
    }


def _losses(values: Array, better: str) -> Array:
    """Returns scores as losses, so that lower is better in every metric."""
    return np.array([[loss_of(better, float(value)) for value in row] for row in values], dtype=np.float64)


def _mean_loss(values: Array, better: str) -> float:
    return float(_losses(values, better).mean())


def _any_finite(row: Mapping[str, float]) -> bool:
    return any(map(math.isfinite, row.values()))


def _references(trainings: Sequence[Scores], pictures: Mapping[str, Sequence[str]]) -> dict[str, dict[str, float]]:
    """Returns method -> metric -> mean of the versions that are not restored: degraded pictures, and the predictor's.

    Means are over the compared pictures and the baseline's trainings.
    """
    methods = [m for m in trainings[0].methods() if not m.startswith("restored")] if trainings else []
    found: dict[str, dict[str, float]] = {}
    for method in methods:
        found[method] = {}
        for metric, keys in pictures.items():
            scored = [s.of(method, metric).get(p, math.nan) for s in trainings for p in keys]
            finite = [value for value in scored if math.isfinite(value)]
            found[method][metric] = sum(finite) / len(finite) if finite else math.nan
    return found
