"""Compares the arms of an ablation: scores over trainings, and paired differences from the baseline."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from texprior.ablations.statistics import Difference, compare_arms, seed_sd, standard_error
from texprior.evaluation.intervals import Array
from texprior.evaluation.scores import Scores, pareto_front


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
    rival: str = ""
    """The arm of the predictor alone; empty if there is none."""
    unit: str = "flops"
    """The unit in which it costs as much as the baseline, ``images`` or ``flops``."""
    unscored: Mapping[str, list[str]] = field(default_factory=dict)
    """Metric -> trained arms that its table lacks, because one of their trainings has no finite score."""

    def ranking(self) -> list[str]:
        """Lists the arms with a score, the best first."""
        # as losses: if 1 is best, trainings on both sides of 1 must not cancel in a mean of values
        rows = self.table[self.metric]
        losses = {arm: mean_loss(self.values[self.metric][arm], self.better[self.metric]) for arm in rows}
        return sorted(losses, key=lambda arm: losses[arm])

    def front(self, against: str) -> list[str]:
        """Lists the arms that no other arm beats in both metrics.

        These are the ranking metric and another one. The arm that is best in the other comes first.
        """
        losses = {
            arm: [mean_loss(self.values[name][arm], self.better[name]) for name in (against, self.metric)]
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


@dataclass(frozen=True)
class TrainingScores:
    """The scores of one training as arrays over its pictures, (N,); NaN where a picture has no score.

    An ablation of many arms holds all of them in memory, for which one object a score is too much.
    """

    pictures: tuple[str, ...]
    restored: Mapping[str, Array]
    """Metric -> scores of the restored pictures."""
    references: Mapping[str, Mapping[str, Array]]
    """Method -> metric -> scores of the versions that are not restored: degraded pictures, and the predictor's."""


def training_scores(scores: Scores) -> TrainingScores:
    """Returns the scores of one training as arrays."""
    restored, pictures = scores.restored_method(), tuple(scores.pictures())

    def arrays(method: str) -> dict[str, Array]:
        rows = {metric: scores.of(method, metric) for metric in scores.better}
        # float64: differences between arms are small against the scores
        return {metric: np.array([row.get(p, math.nan) for p in pictures]) for metric, row in rows.items()}

    others = [method for method in scores.methods() if not method.startswith("restored")]
    return TrainingScores(pictures, arrays(restored), {method: arrays(method) for method in others})


def results_of(
    scores: Mapping[str, Sequence[TrainingScores]],
    arms: Sequence[str],
    baseline: str,
    metric: str,
    better: Mapping[str, str],
    sampled: bool = False,
) -> Results:
    """Compares arms by the scores of their finished trainings.

    ``scores`` is arm -> one ``TrainingScores`` for each seed. ``sampled`` says that the arms sample one trained model.
    """
    seen = dict.fromkeys(p for trainings in scores.values() for t in trainings for p in t.pictures)
    places = {picture: place for place, picture in enumerate(seen)}
    values, pictures, left_out, unscored, table = {}, {}, {}, {}, {}
    for name in better:
        found = {arm: _stacked([(t, t.restored) for t in scores[arm]], name, places) for arm in arms if scores.get(arm)}
        # an arm without any finite score is left out, so that it does not cost the others all pictures
        finite = {arm: rows for arm, rows in found.items() if np.isfinite(rows).any(1).all()}
        unscored[name] = [arm for arm in found if arm not in finite]

        # complete cases: all trainings of all arms are averaged over the same pictures
        scored = [np.isfinite(rows) for rows in finite.values()]
        complete = np.logical_and.reduce([rows.all(0) for rows in scored]) if scored else np.zeros(len(seen), bool)
        pictures[name] = [p for p, place in places.items() if complete[place]]
        left_out[name] = int((~complete).sum()) if scored else 0
        values[name] = {arm: rows[:, complete] for arm, rows in finite.items() if pictures[name]}
        table[name] = _rows(values[name], baseline, better[name], sampled)

    references = _references(scores.get(baseline, []), pictures, places)
    return Results(metric, baseline, better, arms, pictures, left_out, values, table, references, unscored=unscored)


def _rows(values: Mapping[str, Array], baseline: str, better: str, sampled: bool) -> dict[str, ArmScore]:
    """Returns the row of each arm in one metric: means in the metric's unit, differences as losses."""
    losses = {arm: _losses(scores, better) for arm, scores in values.items()}
    differences = compare_arms(losses, baseline, sampled) if baseline in losses else {}
    return {
        arm: ArmScore(float(scores.mean()), standard_error(scores), seed_sd(scores), len(scores), differences.get(arm))
        for arm, scores in values.items()
    }


def _losses(values: Array, better: str) -> Array:
    """Returns scores as losses, so that lower is better in every metric; see ``scores.loss_of``."""
    return {"higher": -values, "lower": values, "one": np.abs(values - 1)}[better]


def mean_loss(values: Array, better: str) -> float:
    """Returns the mean of scores as losses, by which arms are ranked."""
    return float(_losses(values, better).mean())


def _stacked(
    rows: Sequence[tuple[TrainingScores, Mapping[str, Array]]], metric: str, places: Mapping[str, int]
) -> Array:
    """Returns the scores of several trainings in one metric, (S, N), with the pictures at their places."""
    stacked = np.full((len(rows), len(places)), math.nan)
    for line, (training, arrays) in zip(stacked, rows, strict=True):
        if metric in arrays:
            line[[places[p] for p in training.pictures]] = arrays[metric]
    return stacked


def _references(
    trainings: Sequence[TrainingScores], pictures: Mapping[str, Sequence[str]], places: Mapping[str, int]
) -> dict[str, dict[str, float]]:
    """Returns method -> metric -> mean of the versions that are not restored: degraded pictures, and the predictor's.

    Means are over the compared pictures and the baseline's trainings.
    """

    def mean(method: str, metric: str) -> float:
        rows = _stacked([(t, t.references.get(method, {})) for t in trainings], metric, places)
        compared = rows[:, [places[p] for p in pictures[metric]]]
        finite = compared[np.isfinite(compared)]
        return float(finite.mean()) if finite.size else math.nan

    methods = trainings[0].references if trainings else {}
    return {method: {metric: mean(method, metric) for metric in pictures} for method in methods}
