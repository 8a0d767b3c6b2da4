"""How often an ablation without any difference calls at least one arm separated: the old rule beside the new one.

    python experiments/null-simulation/simulate.py [STUDIES]

Both rules are written here once more, for many studies at once; tests/platform/ablations/test_error_rate.py compares
them with the platform's.
"""

import sys

import numpy as np
import numpy.typing as npt
from scipy import special

from texprior.evaluation.intervals import resampling_weights

Array = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

ARMS, TRAININGS, TRAINING_SDS = (5, 10, 20), (1, 3, 5), (0.0, 0.05, 0.15, 0.4)
PICTURES = 24
LEVEL = 0.05
ARM_SD, REST_SD = 0.3, 0.2
"""Spread of an arm's own effect on each picture, and of each training's, in units of the pictures' sd."""
RESAMPLES = 1000
CHUNK = 100
"""Studies whose resamples are in memory at once: 20 arms take 16 MB."""


def null_studies(rng: np.random.Generator, studies: int, arms: int, trainings: int, training_sd: float) -> Array:
    """Scores of studies whose arms do not differ, (studies, 1 + arms, trainings, pictures).

    The first arm is the baseline. The pictures' sd is 1. Pictures are common to all arms, and every training shifts all
    pictures by its luck.
    """
    shape = (studies, 1 + arms, trainings, PICTURES)
    pictures = rng.normal(0, 1, (studies, 1, 1, PICTURES))
    own = rng.normal(0, ARM_SD, (studies, 1 + arms, 1, PICTURES))
    luck = rng.normal(0, training_sd, (studies, 1 + arms, trainings, 1))
    return pictures + own + luck + rng.normal(0, REST_SD, shape)


def new_rule(scores: Array) -> Flags:
    """Which arms are separated, (studies, arms), by Holm's correction of Student's t over pictures and trainings."""
    if scores.shape[2] == 1:
        return np.zeros((len(scores), scores.shape[1] - 1), dtype=bool)
    difference, error, freedom = _t_parts(scores)
    return _holm(2 * special.stdtr(freedom, -np.abs(difference) / error)) < LEVEL


def old_rule(scores: Array) -> Flags:
    """Which arms are separated, (studies, arms): Holm's correction of Wilcoxon's p, and an interval without 0."""
    means = scores.mean(2)
    tested = _holm(wilcoxon_ps(means[:, 1:] - means[:, :1])) < LEVEL
    outside = np.concatenate([_outside(scores[n : n + CHUNK]) for n in range(0, len(scores), CHUNK)])
    return tested & outside


def wilcoxon_ps(differences: Array) -> Array:
    """Exact two-sided p of the signed-rank test, over the last axis; without ties and zeros."""
    pictures = differences.shape[-1]
    ranks = np.abs(differences).argsort(-1).argsort(-1) + 1
    positive = np.where(differences > 0, ranks, 0).sum(-1)
    # the number of sets of ranks with each sum: every rank is in or out
    ways = np.ones(1)
    for rank in range(1, pictures + 1):
        ways = np.concatenate([ways, np.zeros(rank)]) + np.concatenate([np.zeros(rank), ways])
    below = ways.cumsum() / 2.0**pictures
    two_sided = np.minimum(1, 2 * np.minimum(below, below[::-1]))
    found: Array = two_sided[positive]
    return found


def _t_parts(scores: Array) -> tuple[Array, Array, Array]:
    """Mean difference, standard error, and Welch's degrees of freedom, each (studies, arms)."""
    trainings, pictures = scores.shape[2:]
    of_pictures, of_trainings = scores.mean(2), scores.mean(3)
    differences = of_pictures[:, 1:] - of_pictures[:, :1]
    v_pictures = differences.var(-1, ddof=1) / pictures
    parts = [(v_pictures, pictures - 1)]
    if trainings > 1:
        of_seeds = of_trainings.var(-1, ddof=1) / trainings
        parts += [(of_seeds[:, 1:], trainings - 1), (of_seeds[:, :1], trainings - 1)]
    variance = sum((v for v, _ in parts), np.zeros_like(v_pictures))
    weights = sum((v**2 / degrees for v, degrees in parts), np.zeros_like(v_pictures))
    return differences.mean(-1), np.sqrt(variance), variance**2 / weights


def _outside(scores: Array) -> Flags:
    """Whether 0 is outside of the stretched two-way bootstrap interval, (studies, arms)."""
    studies, arms, trainings, pictures = scores.shape
    # the same resamples for every study and arm, as in the platform, whose seed is fixed
    rng = np.random.default_rng(0)
    of_arm, of_baseline = (resampling_weights(rng, trainings, RESAMPLES) for _ in range(2))
    of_pictures = resampling_weights(rng, pictures, RESAMPLES)[:, None, :]
    arm, baseline = ((of[:, :, None] * of_pictures).reshape(RESAMPLES, -1) for of in (of_arm, of_baseline))
    flat = scores.reshape(studies, arms, -1)
    replicates = flat[:, 1:] @ arm.T - flat[:, :1] @ baseline.T

    low, high = np.percentile(replicates, [2.5, 97.5], axis=-1)
    mean, _, freedom = _t_parts(scores)
    stretch = special.stdtrit(freedom, 0.975) / special.ndtri(0.975)
    outside: Flags = (mean + (low - mean) * stretch > 0) | (mean + (high - mean) * stretch < 0)
    return outside


def _holm(ps: Array) -> Array:
    """Step-down corrected p over the last axis (Holm 1979)."""
    order, arms = ps.argsort(-1), ps.shape[-1]
    steps = np.take_along_axis(ps, order, -1) * (arms - np.arange(arms))
    corrected = np.empty_like(ps)
    np.put_along_axis(corrected, order, np.minimum(1, np.maximum.accumulate(steps, -1)), -1)
    return corrected


def main(studies: int) -> None:
    """Prints the share of studies in which a rule calls at least one arm separated."""
    print("| arms | trainings | " + " | ".join(f"sd {sd:g}: old | new" for sd in TRAINING_SDS) + " |")
    print("|---" * (2 + 2 * len(TRAINING_SDS)) + "|")
    for arms in ARMS:
        for trainings in TRAININGS:
            cells = []
            for sd in TRAINING_SDS:
                rng = np.random.default_rng([arms, trainings, round(100 * sd)])
                scores = null_studies(rng, studies, arms, trainings, sd)
                cells += [f"{rule(scores).any(-1).mean():.3f}".removeprefix("0") for rule in (old_rule, new_rule)]
            print(f"| {arms} | {trainings} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
