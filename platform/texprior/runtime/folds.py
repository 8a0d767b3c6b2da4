"""Divides the training photographs into folds, of which a training leaves one out."""

from __future__ import annotations

from typing import NamedTuple

from texprior.errors import ConfigError
from texprior.runtime.shared_caches import Split
from texprior.runtime.split_overlap import sources_of


class Fold(NamedTuple):
    """A part of the training photographs."""

    number: int
    """Its number; the first is 0."""
    of: int
    """How many folds there are."""

    def __str__(self) -> str:
        return f"fold {self.number + 1} of {self.of}"

    def left_out_of(self, split: Split) -> Split:
        """Returns the split without this fold."""
        numbers = fold_numbers(split, self.of)
        return Split(split.dataset, [key for key in split.keys if numbers[key] != self.number])


def fold_numbers(split: Split, folds: int) -> dict[str, int]:
    """Returns key -> number of its fold, from 0.

    Keys of one source, such as regions of a large photograph, are in one fold. So are neighbours in the order of the
    keys, which often show one scene. Raises ConfigError if there are fewer photographs than folds.
    """
    sources = {key: key for key in split.keys} | sources_of(split)
    order = {source: n for n, source in enumerate(dict.fromkeys(sources.values()))}
    if len(order) < folds:
        raise ConfigError(
            f"training.folds: {folds} folds need as many photographs, but data.train has {len(order)}; use fewer folds"
        )
    return {key: order[source] * folds // len(order) for key, source in sources.items()}
