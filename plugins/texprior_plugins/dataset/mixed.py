"""Joins pairs and clean pictures into one data set, such as real pairs and photographs to be degraded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from texprior.flow.image import PictureSet, Sample
from texprior_plugins.dataset import MixedOptions, UnionOptions
from texprior_plugins.dataset.union import Union


class Mixed(Union):
    """Several data sets as one, in which pairs and clean pictures may be mixed.

    Keys are those of ``union``. The degradation of the experiment is for the clean pictures.
    """

    def __init__(self, options: MixedOptions, of: Sequence[PictureSet]) -> None:
        super().__init__(UnionOptions(of=options.of), of)
        self.weights = options.weights or [1] * len(self.of)

    def load(self, key: str) -> Sample:
        """Loads one sample from its data set. Raises ImageError if it cannot be read."""
        return replace(super().load(key), mixed=True)

    def visits(self, key: str) -> int:
        """Returns how often a training visits a picture in an epoch: as its data set says, times the weight."""
        number, _ = self._inner(key)
        return self.weights[number] * super().visits(key)
