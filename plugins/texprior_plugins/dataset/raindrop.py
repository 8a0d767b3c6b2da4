"""Describes the files of RainDrop: photographs through two panes of glass, one sprayed with water."""

from __future__ import annotations

from collections.abc import Sequence

from texprior_plugins.dataset import RaindropOptions
from texprior_plugins.dataset._published import Layout, Part, Published


class Raindrop(Published):
    """The RainDrop data set. Val is carved out of train.

    By default test is test_a, the part of test_b whose pairs are aligned best.
    """

    name = "RainDrop"
    options: RaindropOptions

    def layouts(self) -> Sequence[Layout]:
        """Returns the form ``train/data/0_rain.png`` of ``train/gt/0_clean.png``; test is alike."""
        looks = "data/0_rain.png and gt/0_clean.png"
        pair = {"clean": r"gt/\1_clean", "degraded": r"data/(\d+)_rain", "looks": looks}
        test, count = {"a": ("test_a", 58), "b": ("test_b", 249)}[self.options.test]
        train, tests = (
            tuple(
                f"{above}{name}" for above in ("", "raindrop_data/", "RainDrop/") for name in (part, f"{part}/{part}")
            )
            for part in ("train", test)
        )
        return [{"train": (Part(train, **pair, count=861),), "test": (Part(tests, **pair, count=count),)}]
