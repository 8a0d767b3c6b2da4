"""Describes the files of Outdoor-Rain: heavy rain with the veil of far rain.

Each photograph has 15 versions (5 kinds of streaks, 3 thicknesses of the veil).
"""

from __future__ import annotations

from collections.abc import Sequence

from texprior_plugins.dataset._published import Layout, Part, Published


class OutdoorRain(Published):
    """The Outdoor-Rain data set.

    Val is a part of train. All versions of a photograph are in the same split.
    """

    name = "Outdoor-Rain"

    def layouts(self) -> Sequence[Layout]:
        """Returns the form ``train/in/im_0001_s80_a04.png`` of ``train/gt/im_0001.png``.

        Test is in ``Test1/`` or ``test/data``.
        """
        looks = "in/im_0001_s80_a04.png and gt/im_0001.png"
        pair = {"clean": r"gt/\1", "degraded": r"(?:in|data|input)/(im_\d+)_s\d+_a\d+", "looks": looks}
        inner = ("CVPR19RainTrain/", "outdoor-rain/", "")
        trains = tuple(f"{above}train" for above in inner)
        tests = tuple(f"{above}{name}" for above in inner for name in ("Test1", "test1", "test"))
        return [{"train": (Part(trains, **pair, count=9000),), "test": (Part(tests, **pair, count=750),)}]
