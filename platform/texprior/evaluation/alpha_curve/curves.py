"""Holds the scores of an alpha curve: one for every decomposition, alpha, picture and metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from texprior.evaluation.scores import Mean, Paired, Scores, mean_of


@dataclass(frozen=True)
class Curves:
    """The scores of the curves: one for every decomposition, alpha, picture and metric.

    ``strips`` maps each decomposition to the first picture at every alpha, each (3, H, W). ``broken`` maps each picture
    that could not be read to the reason; these pictures are left out everywhere.
    """

    scores: Scores
    labels: tuple[str, ...]
    alphas: tuple[float, ...]
    strips: Mapping[str, Sequence[Tensor]]
    broken: Mapping[str, str]

    def points(self, label: str, metric: str) -> list[Mean]:
        """Returns the mean over pictures at every alpha, with its bootstrap interval over pictures."""
        # the same pictures at every alpha: otherwise the curve would also show which pictures were left out
        pictures = self.scores.complete(metric)
        at = [self.scores.of(method_of(label, alpha), metric) for alpha in self.alphas]
        return [mean_of([values[p] for p in pictures]) for values in at]

    def change(self, label: str, metric: str) -> Paired:
        """Compares the last alpha with the first, picture by picture.

        ``wins`` counts the pictures that improve.
        """
        return self.scores.paired(method_of(label, self.alphas[-1]), method_of(label, self.alphas[0]), metric)

    def first(self, label: str, metric: str) -> list[float]:
        """Returns the scores of the strip's picture at every alpha."""
        return [next(iter(self.scores.of(method_of(label, alpha), metric).values())) for alpha in self.alphas]


def method_of(label: str, alpha: float) -> str:
    """Returns the name under which ``Scores`` holds a decomposition at an alpha."""
    return f"{label} alpha {alpha:g}"
