"""Compares the arms of an ablation with a baseline: differences, intervals and tests.

The unit is the picture. Scores are losses, (S, N), so lower is better: S trainings of an arm, one for each seed, on N
pictures that all arms share. Pictures and seeds are crossed: every training is scored on every picture.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]

LEVEL = 0.95
"""The share of studies in which an interval shall contain the true difference: the usual level, as in the report."""
SIGNIFICANT = 0.05
"""Below this corrected p a difference counts: 1 - ``LEVEL``, so that interval and test are equally strict."""


@dataclass(frozen=True)
class Difference:
    """An arm minus the baseline, paired by picture, in the metric's unit as a loss."""

    mean: float
    low: float
    high: float
    p: float
    """Wilcoxon's signed-rank test on the pictures' differences, seeds averaged first; two-sided."""
    p_holm: float
    """The same, corrected for the number of arms that were compared."""
    wins: int
    """Pictures on which the arm is better."""
    ties: int
    pictures: int

    @property
    def separated(self) -> bool:
        """Whether the interval leaves out 0 and the corrected p is below .05."""
        return (self.low > 0 or self.high < 0) and self.p_holm < SIGNIFICANT

    @property
    def better(self) -> bool:
        """Whether the arm's mean loss is lower."""
        return self.mean < 0


def compare_arms(losses: Mapping[str, Array], baseline: str) -> dict[str, Difference]:
    """Compares every other arm with the baseline, in the order of the arms.

    Holm's family is all of these tests.
    """
    others = [name for name in losses if name != baseline]
    differences = {name: losses[name].mean(0) - losses[baseline].mean(0) for name in others}

    # the test is about pictures, so seeds are averaged first; it does not include the luck of training
    ps = {name: wilcoxon_p(values) for name, values in differences.items()}
    corrected = dict(zip(others, holm_correction(list(ps.values())), strict=True))

    # the interval is about pictures and seeds, so it needs each training by itself
    found = {}
    for name, values in differences.items():
        low, high = two_way_interval(losses[name], losses[baseline])
        wins, ties = int((values < 0).sum()), int((values == 0).sum())
        found[name] = Difference(
            float(values.mean()), low, high, ps[name], corrected[name], wins, ties, int(values.size)
        )
    return found


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
    interval narrower.

    From n units n - 1 are drawn, which makes the variance of a mean unbiased (Rao and Wu 1988, m = n - 1). The
    percentiles are then stretched about the mean by t / z with Welch and Satterthwaite's degrees of freedom. Without
    this, the interval of three trainings would be far too narrow (cf. Hesterberg 2015).

    An arm with one training adds nothing for its seeds: its interval is about pictures only. NaN if there are fewer
    than two pictures.
    """
    if arm_SN.shape[1] < 2:
        return math.nan, math.nan
    mean = float(arm_SN.mean() - baseline_SN.mean())
    tails = 50 * (1 - LEVEL)
    low, high = np.percentile(bootstrap_replicates(arm_SN, baseline_SN, resamples, seed), [tails, 100 - tails])
    stretch = _stretch(degrees_of_freedom(arm_SN, baseline_SN))
    return mean + (float(low) - mean) * stretch, mean + (float(high) - mean) * stretch


def bootstrap_replicates(arm_SN: Array, baseline_SN: Array, resamples: int, seed: int) -> Array:
    """Returns the mean difference in each resample, (R,)."""
    # weighted sums instead of indexed copies: (R, S) @ (S, N) keeps memory at R N, not R S N
    rng = np.random.default_rng(seed)
    of_arm, of_baseline = (_weights(rng, len(scores), resamples) for scores in (arm_SN, baseline_SN))
    differences_RN = of_arm @ arm_SN - of_baseline @ baseline_SN
    means: Array = (differences_RN * _weights(rng, arm_SN.shape[1], resamples)).sum(1)
    return means


def degrees_of_freedom(arm_SN: Array, baseline_SN: Array) -> float:
    """Returns Welch and Satterthwaite's degrees of freedom of the mean difference's variance.

    They are infinite if the variance is 0. The variance is the sum of three parts v = s^2 / n: of the pictures, and of
    each arm's seeds. The result is (sum v)^2 / sum(v^2 / (n - 1)).
    """
    # a sample of one unit has no variance to estimate, so it is left out
    differences = arm_SN.mean(0) - baseline_SN.mean(0)
    samples = [values for values in (differences, arm_SN.mean(1), baseline_SN.mean(1)) if values.size > 1]
    parts = [(float(values.var(ddof=1)) / values.size, values.size - 1) for values in samples]
    weights = sum(variance**2 / degrees for variance, degrees in parts)
    return sum(variance for variance, _ in parts) ** 2 / weights if weights else math.inf


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


def _weights(rng: np.random.Generator, units: int, resamples: int) -> Array:
    """Returns the share of each of n units in each resample of n - 1 draws (one draw if n is 1), (R, n)."""
    draws = max(1, units - 1)
    return rng.multinomial(draws, np.full(units, 1 / units), size=resamples) / draws


def _stretch(freedom: float) -> float:
    """Returns t / z at the level, by which the interval is stretched; 1 for infinite degrees of freedom."""
    from scipy.stats import norm, t

    upper = (1 + LEVEL) / 2
    return float(t.ppf(upper, freedom) / norm.ppf(upper)) if math.isfinite(freedom) else 1.0
