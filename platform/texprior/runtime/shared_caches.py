"""What the sessions of one process share, so that it is made once."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from texprior.flow.image import PictureSet

T = TypeVar("T")
Brings = Literal["pairs", "clean pictures only", "pairs of a mixed data set"]
"""What a data set brings: pairs of clean and degraded pictures, or clean pictures.

The pairs of a mixed data set may stand beside a degradation, which is for its clean pictures."""


class Split(NamedTuple):
    """The data set of a split, and the keys of its pictures."""

    dataset: PictureSet
    keys: list[str]


class LastValue(Generic[T]):
    """The last value that was made, under its key.

    Another key replaces it: the old value's memory is free first.
    """

    def __init__(self) -> None:
        self._kept: tuple[Hashable, T] | None = None

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """Returns the value under the key; makes it if the last one had another key."""
        if self._kept is None or self._kept[0] != key:
            # The old value goes before the new one is made: two pools of photographs would not fit side by side.
            self.clear()
            self._kept = key, make()
        return self._kept[1]

    def clear(self) -> None:
        """Forgets the value, such as after the process ran out of memory."""
        self._kept = None


@dataclass
class SharedCaches:
    """Typed caches of a process.

    A session and all sessions derived from it have the same one.
    """

    splits: dict[Hashable, Split] = field(default_factory=dict)
    """(split, its data set, seed) -> the built data set and its keys."""
    separate: set[Hashable] = field(default_factory=set)
    """Data sections whose splits were found to share no picture."""
    brought: dict[Hashable, frozenset[Brings]] = field(default_factory=dict)
    """(split, seed, data section) -> what pictures of the split bring."""
    told: set[str] = field(default_factory=set)
    """Sentences that are said once."""
    picture_digests: dict[str, str] = field(default_factory=dict)
    """Digest of a training data set's names -> digest of the content of some of its pictures."""
    step_costs: dict[Path, dict[str, Any]] = field(default_factory=dict)
    """File of a training step's cost -> the cost; see ``training.compute``."""
    stage_two_pictures: LastValue[object] = field(default_factory=LastValue)
    """The pool of what Stage II derives from the training pictures, for the trials of a sweep."""
