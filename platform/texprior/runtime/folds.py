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
    keys, which often show one scene. Each part of the data set, such as a member of a union, is divided by itself: each
    fold has its share of it. Raises ConfigError if there are fewer photographs than folds.
    """
    sources = {key: key for key in split.keys} | sources_of(split)
    part_of: dict[str, str] = {}
    for key, source in sources.items():
        part_of.setdefault(source, split.dataset.part(key) if hasattr(split.dataset, "part") else "")
    if len(part_of) < folds:
        raise ConfigError(
            f"training.folds: {folds} folds need as many photographs, but data.train has {len(part_of)}; use fewer "
            "folds"
        )
    number, taken = dict[str, int](), 0
    for part in dict.fromkeys(part_of.values()):
        members = [source for source, its in part_of.items() if its == part]
        # small parts fill one fold after the other, so that none stays empty
        small = len(members) < folds
        number |= {s: (taken + n) % folds if small else n * folds // len(members) for n, s in enumerate(members)}
        taken += len(members)
    return {key: number[source] for key, source in sources.items()}
