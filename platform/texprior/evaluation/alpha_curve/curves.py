"""The scores of an alpha curve: one for every decomposition, alpha, picture and metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from texprior.evaluation.scores import Mean, Paired, Scores, mean_of


@dataclass(frozen=True)
class Curves:
    """What was found: a score for every decomposition, alpha, picture and metric.

    ``strips`` has, for every decomposition, the first picture at every alpha, (3, H, W). ``broken`` are pictures that
    could not be read, which are left out everywhere.
    """

    scores: Scores
    labels: tuple[str, ...]
    alphas: tuple[float, ...]
    strips: Mapping[str, Sequence[Tensor]]
    broken: Mapping[str, str]

    def points(self, label: str, metric: str) -> list[Mean]:
        """The mean over pictures at every alpha, with its bootstrap interval over pictures."""
        pictures = self.scores.complete(metric)
        at = [self.scores.of(method_of(label, alpha), metric) for alpha in self.alphas]
        return [mean_of([values[p] for p in pictures]) for values in at]

    def change(self, label: str, metric: str) -> Paired:
        """The last alpha against the first, picture by picture; ``wins`` counts the pictures that improve."""
        return self.scores.paired(method_of(label, self.alphas[-1]), method_of(label, self.alphas[0]), metric)

    def first(self, label: str, metric: str) -> list[float]:
        """The scores of the picture of the strip, at every alpha."""
        return [next(iter(self.scores.of(method_of(label, alpha), metric).values())) for alpha in self.alphas]


def method_of(label: str, alpha: float) -> str:
    """Names a decomposition at an alpha as a method of ``Scores``."""
    return f"{label} alpha {alpha:g}"
