"""Compares the arms of an ablation with a baseline: differences, intervals and tests.

The unit is the picture. Scores are losses, (S, N), so lower is better: S trainings of an arm, one for each seed, on N
pictures that all arms share. Pictures and seeds are crossed: every training is scored on every picture.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from texprior.evaluation.intervals import FEWEST, Array, resampling_weights, stretched_interval

SIGNIFICANT = 0.05
"""Below this corrected p a difference counts: 1 - ``intervals.LEVEL``, so that interval and test are equally strict."""


@dataclass(frozen=True)
class Difference:
    """An arm minus the baseline, paired by picture, in the metric's unit as a loss."""

    mean: float
    low: float
    high: float
    p: float
    """Two-sided p of the mean over pictures and trainings, see ``difference_p``; NaN if it is not tested."""
    p_holm: float
    """The same, corrected for the number of arms that were tested."""
    p_pictures: float
    """Wilcoxon's p, about pictures only and these trainings, not corrected: it describes, and decides nothing."""
    wins: int
    """Pictures on which the arm is better."""
    ties: int
    pictures: int
    not_tested: str = ""
    """Why there is no test; empty if there is one."""

    @property
    def separated(self) -> bool:
        """Whether the corrected p is below .05."""
        return self.p_holm < SIGNIFICANT

    @property
    def better(self) -> bool:
        """Whether the arm's mean loss is lower."""
        return self.mean < 0


def compare_arms(losses: Mapping[str, Array], baseline: str, sampled: bool = False) -> dict[str, Difference]:
    """Compares every other arm with the baseline, in the order of the arms.

    Holm's family is all of these tests. ``sampled`` says that the arms sample one trained model.
    """
    others = [name for name in losses if name != baseline]
    reasons = {name: not_tested(losses[name], losses[baseline], sampled) for name in others}
    tested = [name for name in others if not reasons[name]]
    ps = {name: difference_p(losses[name], losses[baseline]) for name in tested}
    corrected = dict(zip(tested, holm_correction(list(ps.values())), strict=True))

    found = {}
    for name in others:
        values = losses[name].mean(0) - losses[baseline].mean(0)
        low, high = two_way_interval(losses[name], losses[baseline])
        found[name] = Difference(
            mean=float(values.mean()),
            low=low,
            high=high,
            p=ps.get(name, math.nan),
            p_holm=corrected.get(name, math.nan),
            p_pictures=wilcoxon_p(values),
            wins=int((values < 0).sum()),
            ties=int((values == 0).sum()),
            pictures=int(values.size),
            not_tested=reasons[name],
        )
    return found


def not_tested(arm_SN: Array, baseline_SN: Array, sampled: bool) -> str:
    """Returns why an arm cannot be tested against the baseline; empty if it can.

    One training says nothing about the luck of training. If all arms sample one trained model, there is no such luck,
    and one sampling can be tested over pictures.
    """
    if arm_SN.shape[1] < 2:
        return "one picture"
    if sampled or min(len(arm_SN), len(baseline_SN)) > 1:
        return ""
    return "one training" if len(arm_SN) == 1 else "one training of the baseline"


def difference_p(arm_SN: Array, baseline_SN: Array) -> float:
    """Returns the two-sided p of mean(arm) - mean(baseline), by Student's t.

    The standard error is the square root of the sum of the variance's parts, so the test asks about other pictures and
    other trainings. The degrees of freedom are Welch and Satterthwaite's.
    """
    from scipy.stats import t

    mean = float(arm_SN.mean() - baseline_SN.mean())
    variance = sum(part for part, _ in _variance_parts(arm_SN, baseline_SN))
    # without any spread, every difference is beyond doubt, and arms that are equal are equal
    if not variance:
        return float(mean == 0)
    return float(2 * t.sf(abs(mean) / math.sqrt(variance), degrees_of_freedom(arm_SN, baseline_SN)))


def least_t(freedom: float, arms: int) -> float:
    """Returns the standard errors beyond which Holm's first step separates the best of several arms."""
    from scipy.stats import t

    return float(t.isf(SIGNIFICANT / arms / 2, freedom))


def wilcoxon_p(differences: Array) -> float:
    """Returns the two-sided p of the signed-rank test (Wilcoxon 1945).

    It is exact up to 50 pictures without ties, else from the normal approximation. Zero differences are left out, as
    Wilcoxon did; if nothing is left, p is 1. NaN if there are no pictures.
    """
    from scipy.stats import wilcoxon as test

    if differences.size == 0:
        return math.nan
    moved = differences[differences != 0]
    return float(test(moved).pvalue) if moved.size else 1.0


def holm_correction(ps: Sequence[float]) -> list[float]:
    """Returns step-down corrected p (Holm 1979).

    It is max over j <= i of (m - j) p_(j), j counted from 0, cut at 1.
    """
    order = sorted(range(len(ps)), key=lambda i: ps[i])
    corrected, largest = [math.nan] * len(ps), 0.0
    for rank, i in enumerate(order):
        # the maximum so far: a larger p must not get a smaller corrected one
        largest = max(largest, min(1.0, (len(ps) - rank) * ps[i]))
        corrected[i] = largest
    return corrected


def two_way_interval(arm_SN: Array, baseline_SN: Array, resamples: int = 5000, seed: int = 0) -> tuple[float, float]:
    """Returns the 95 % bootstrap interval of mean(arm) - mean(baseline).

    It is over pictures and seeds (Owen 2007). Pictures are drawn once for both arms, which keeps the pairing. Seeds are
    drawn within each arm separately, so trainings of the same seed that share their random numbers do not make the
    interval narrower. ``stretched_interval`` makes it wide enough for few trainings.

    An arm with one training adds nothing for its seeds: its interval is about pictures only. NaN if there are fewer
    than ``FEWEST`` pictures.
    """
    if arm_SN.shape[1] < FEWEST:
        return math.nan, math.nan
    mean = float(arm_SN.mean() - baseline_SN.mean())
    replicates = bootstrap_replicates(arm_SN, baseline_SN, resamples, seed)
    return stretched_interval(mean, replicates, degrees_of_freedom(arm_SN, baseline_SN))


def bootstrap_replicates(arm_SN: Array, baseline_SN: Array, resamples: int, seed: int) -> Array:
    """Returns the mean difference in each resample, (R,)."""
    of_arm, of_baseline, of_pictures = _two_way_weights(len(arm_SN), *baseline_SN.shape, resamples, seed)
    # weighted sums instead of indexed copies: the pictures' weights come first, so that memory is R S, not R S N
    arm, baseline = (of_pictures @ scores.T for scores in (arm_SN, baseline_SN))
    means: Array = (of_arm * arm).sum(1) - (of_baseline * baseline).sum(1)
    return means


# Arms with as many trainings and pictures have the same weights, in every metric. To draw them for 1,000 pictures takes
# 0.3 s. A few are kept: arms may differ in their trainings, and metrics in their pictures.
@functools.lru_cache(maxsize=4)
def _two_way_weights(
    arm_seeds: int, baseline_seeds: int, pictures: int, resamples: int, seed: int
) -> tuple[Array, Array, Array]:
    """Returns the weights of an arm's seeds (R, S), of the baseline's seeds, and of the pictures (R, N)."""
    rng = np.random.default_rng(seed)
    return (
        resampling_weights(rng, arm_seeds, resamples),
        resampling_weights(rng, baseline_seeds, resamples),
        resampling_weights(rng, pictures, resamples),
    )


def degrees_of_freedom(arm_SN: Array, baseline_SN: Array) -> float:
    """Returns Welch and Satterthwaite's degrees of freedom of the mean difference's variance.

    They are (sum v)^2 / sum(v^2 / (n - 1)) over the variance's parts v, and infinite if the variance is 0.
    """
    parts = _variance_parts(arm_SN, baseline_SN)
    weights = sum(variance**2 / degrees for variance, degrees in parts)
    return sum(variance for variance, _ in parts) ** 2 / weights if weights else math.inf


def _variance_parts(arm_SN: Array, baseline_SN: Array) -> list[tuple[float, int]]:
    """Returns the parts of the mean difference's variance, s^2 / n, each with its n - 1.

    They are those of the pictures, of the arm's seeds and of the baseline's seeds.
    """
    # a sample of one unit has no variance to estimate, so it is left out
    differences = arm_SN.mean(0) - baseline_SN.mean(0)
    samples = [values for values in (differences, arm_SN.mean(1), baseline_SN.mean(1)) if values.size > 1]
    return [(float(values.var(ddof=1)) / values.size, values.size - 1) for values in samples]


def seed_sd(losses_SN: Array) -> float:
    """Returns the standard deviation of an arm's trainings.

    It is that of their means over pictures; NaN for one training.
    """
    return float(losses_SN.mean(1).std(ddof=1)) if len(losses_SN) > 1 else math.nan


def standard_error(losses_SN: Array) -> float:
    """Returns the standard error over pictures of an arm's mean.

    Seeds are averaged first. NaN for one picture.
    """
    pictures = losses_SN.shape[1]
    return float(losses_SN.mean(0).std(ddof=1)) / math.sqrt(pictures) if pictures > 1 else math.nan
