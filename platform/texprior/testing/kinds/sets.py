"""Rules of metrics of scope set: a distance between sets of pictures, with a contribution of each."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from texprior.testing.catalogue import When, check
from texprior.testing.kinds.metric import LEVELS, SET, SIZE, badness, noisy, pieces
from texprior.testing.material import gap, photographs
from texprior.testing.outcomes import NotRun, require
from texprior.testing.subject import Subject

TOLERANCE = 1e-5
FULL_SET = When(
    "`scope` is set, `reference` is true", lambda record: SET.test(record) and bool(getattr(record, "reference", True))
)


def _pictures(level: float) -> Tensor:
    return pieces(noisy(level))


def _score(subject: Subject, level: float) -> float:
    """The score of the set with noise against the clean one."""
    metric: Any = subject.shared()
    contributions = metric.contributions(metric.features(_pictures(level)), metric.features(_pictures(0.0)))
    return float(contributions.double().mean())


@check("metric.features", "metric", when=SET)
def features(subject: Subject) -> None:
    """The features are (B, F) and finite, each row a function of its own picture alone, within 1e-5.

    Fix: reduce over a picture's own dimensions only; no statistics over the batch, no state between calls.
    """
    metric, pictures = subject.shared(), _pictures(0.05)
    together = metric.features(pictures)
    require(together.ndim == 2 and len(together) == len(pictures), f"{len(pictures)} pictures: {tuple(together.shape)}")
    require(torch.isfinite(together).all(), "values that are no finite numbers")
    alone = torch.cat([metric.features(pictures[i : i + 1]) for i in range(len(pictures))])
    limit = TOLERANCE * max(1.0, float(together.abs().max()))
    require(gap(together, alone) <= limit, f"alone the features differ by {gap(together, alone):.2g}")


@check("metric.contributions", "metric", when=SET)
def contributions(subject: Subject) -> None:
    """Each picture of a set has a finite contribution, (N,), and takes it along when the order changes.

    Fix: return jackknife pseudo-values, n U - (n - 1) U_i, one for each row of the features.
    """
    metric, order = subject.shared(), torch.arange(8).flip(0)
    own, reference = metric.features(_pictures(0.05)), metric.features(pieces(photographs(2, *SIZE)))
    found = metric.contributions(own, reference)
    require(tuple(found.shape) == (len(own),), f"{len(own)} pictures: contributions of shape {tuple(found.shape)}")
    require(torch.isfinite(found).all(), "values that are no finite numbers")
    turned = metric.contributions(own[order], reference[order])
    limit = TOLERANCE * max(1e-3, float(found.abs().max()))
    require(gap(found[order], turned) <= limit, f"in another order they differ by {gap(found[order], turned):.2g}")


@check("metric.set-identity", "metric", when=FULL_SET)
def set_identity(subject: Subject) -> None:
    """A set scores best against itself: better than with noise of standard deviation 0.02.

    Fix: compare with the references that are given; an unbiased estimate of identical sets is its best value.
    """
    if not getattr(subject.shared(), "reference", True):
        raise NotRun("with these options it needs no reference")
    itself, other = (badness(subject, torch.tensor(_score(subject, level))) for level in (0.0, LEVELS[0]))
    require(
        itself <= other, f"the set against itself scores {float(itself):.4g}, with noise {float(other):.4g} (badness)"
    )


@check("metric.set-noise", "metric", when=SET)
def set_noise(subject: Subject) -> None:
    """More noise makes a set worse, by the declared ``better``: at 0.02, 0.06 and 0.2.

    Fix: declare ``better`` as the score is, or change its sign.
    """
    values = [_score(subject, level) for level in LEVELS]
    worse = badness(subject, torch.tensor(values)).diff()
    require((worse > 0).all(), f"noise of {LEVELS} scores {', '.join(f'{v:.4g}' for v in values)}")
