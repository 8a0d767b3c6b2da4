"""Checks the rules of metrics with scope set.

They are distances between sets, with a contribution of each picture.
"""

from __future__ import annotations

import torch
from torch import Tensor

from texprior.flow.measure import SetMetric
from texprior.testing.catalogue import When, check
from texprior.testing.kinds.metric import LEVELS, SET, SIZE, badness, noisy, pieces
from texprior.testing.material import gap, photographs
from texprior.testing.outcomes import NotRun, require
from texprior.testing.subject import Subject

TOLERANCE = 1e-5
"""The largest relative difference between a batch and single pictures: convolutions round differently by batch."""
FULL_SET = When(
    "`scope` is set, `reference` is true", lambda record: SET.test(record) and bool(getattr(record, "reference", True))
)


def _pictures(level: float) -> Tensor:
    return pieces(noisy(level))


def _score(subject: Subject, level: float) -> float:
    """Returns the score of the set with noise against the clean set."""
    metric: SetMetric = subject.shared()
    contributions = metric.contributions(metric.features(_pictures(level)), metric.features(_pictures(0.0)))
    return float(contributions.double().mean())


@check("metric.features", "metric", when=SET)
def features(subject: Subject) -> None:
    """The features are (B, F) and finite, and each row depends only on its own picture, within 1e-5.

    Fix: reduce only over the dimensions of one picture; do not use statistics over the batch; keep no state between
    calls.
    """
    metric, pictures = subject.shared(), _pictures(0.05)
    together = metric.features(pictures)
    require(
        together.ndim == 2 and len(together) == len(pictures),
        f"{len(pictures)} pictures: features of shape {tuple(together.shape)}",
    )
    require(torch.isfinite(together).all(), "not all features are finite")
    alone = torch.cat([metric.features(pictures[i : i + 1]) for i in range(len(pictures))])
    limit = TOLERANCE * max(1.0, float(together.abs().max()))
    require(gap(together, alone) <= limit, f"alone the features differ by {gap(together, alone):.2g}")


@check("metric.contributions", "metric", when=SET)
def contributions(subject: Subject) -> None:
    """Each picture of a set has a finite contribution, (N,), which stays with the picture if the order changes.

    Fix: return jackknife pseudo-values, n U - (n - 1) U_i, one for each row of the features.
    """
    # two pictures of four quarters make a set of 8
    metric, order = subject.shared(), torch.arange(8).flip(0)
    own, reference = metric.features(_pictures(0.05)), metric.features(pieces(photographs(2, *SIZE)))
    found = metric.contributions(own, reference)
    require(tuple(found.shape) == (len(own),), f"{len(own)} pictures: contributions of shape {tuple(found.shape)}")
    require(torch.isfinite(found).all(), "not all contributions are finite")
    turned = metric.contributions(own[order], reference[order])
    limit = TOLERANCE * max(1e-3, float(found.abs().max()))
    require(gap(found[order], turned) <= limit, f"in another order they differ by {gap(found[order], turned):.2g}")


@check("metric.set-identity", "metric", when=FULL_SET)
def set_identity(subject: Subject) -> None:
    """A set scores best against itself: better than with noise of standard deviation 0.02.

    Fix: compare with the references in the arguments; the unbiased estimate for two identical sets must be the best
    possible value.
    """
    if not getattr(subject.shared(), "reference", True):
        raise NotRun("with these options it needs no reference")
    itself, other = (_score(subject, level) for level in (0.0, LEVELS[0]))
    require(
        badness(subject, torch.tensor(itself)) <= badness(subject, torch.tensor(other)),
        f"the set against itself scores {itself:.4g}, with noise {other:.4g}, which counts as better",
    )


@check("metric.set-noise", "metric", when=SET)
def set_noise(subject: Subject) -> None:
    """More noise makes the score of a set worse, according to the declared ``better``: at 0.02, 0.06 and 0.2.

    Fix: declare ``better`` according to the score, or change the sign of the score.
    """
    values = [_score(subject, level) for level in LEVELS]
    worse = badness(subject, torch.tensor(values)).diff()
    require((worse > 0).all(), f"noise of {LEVELS} scores {', '.join(f'{v:.4g}' for v in values)}")
