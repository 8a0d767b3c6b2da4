"""Joins several data sets into one, such as DIV2K and Flickr2K."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from texprior.errors import ImageError
from texprior.flow.image import PictureSet, Sample
from texprior_plugins.dataset import UnionOptions


class Union:
    """Several data sets as one.

    A key is the index of its data set, from 0, a slash, and its key there.
    """

    def __init__(self, options: UnionOptions, of: Sequence[PictureSet]) -> None:
        self.of = list(of)

    def keys(self, split: str) -> Sequence[str]:
        """Returns the keys of a split of all data sets.

        Raises ConfigError if one of them does.
        """
        return [f"{i}/{key}" for i, dataset in enumerate(self.of) for key in dataset.keys(split)]

    def load(self, key: str) -> Sample:
        """Loads one sample from its data set. Raises ImageError if it cannot be read."""
        number, inner = self._inner(key)
        return replace(self.of[number].load(inner), key=key)

    def source(self, key: str) -> str:
        """Returns the source that the picture's data set states; the key if it states none."""
        number, inner = self._inner(key)
        dataset = self.of[number]
        return str(dataset.source(inner)) if hasattr(dataset, "source") else key

    def visits(self, key: str) -> int:
        """Returns how often a training visits a picture in an epoch: what its data set says, else once."""
        number, inner = self._inner(key)
        dataset = self.of[number]
        return dataset.visits(inner) if hasattr(dataset, "visits") else 1  # type: ignore[no-any-return]

    def part(self, key: str) -> str:
        """Returns the index of the picture's data set, with those inside of it."""
        number, inner = self._inner(key)
        dataset = self.of[number]
        return f"{number}/{dataset.part(inner)}" if hasattr(dataset, "part") else f"{number}"

    def _inner(self, key: str) -> tuple[int, str]:
        number, slash, inner = key.partition("/")
        if not slash or not number.isdigit() or int(number) >= len(self.of):
            raise ImageError(f"there is no picture '{key}' in a union of {len(self.of)} data sets")
        return int(number), inner
