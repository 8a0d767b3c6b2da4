"""Describes the files of Snow100K: synthetic snow on 100,000 photographs.

The split ``test`` has three sizes of flakes.
"""

from __future__ import annotations

from collections.abc import Sequence

from texprior_plugins.dataset import Snow100kOptions
from texprior_plugins.dataset._published import Layout, Part, Published

# Published number of test pairs for each size of flakes.
_COUNTS = {"S": 16611, "M": 16588, "L": 16801}


class Snow100k(Published):
    """The Snow100K data set. Val is carved out of train."""

    name = "Snow100K"
    options: Snow100kOptions

    def layouts(self) -> Sequence[Layout]:
        """Returns the form ``all/synthetic/NAME.jpg`` of ``all/gt/NAME.jpg``.

        Test is alike, in ``test/Snow100K-S``, ``-M`` and ``-L``.
        """
        pair = {"clean": r"gt/\1", "degraded": r"synthetic/(.+)", "looks": "synthetic/NAME.jpg and gt/NAME.jpg"}
        sizes = "SML" if self.options.test == "all" else self.options.test
        # The authors' archive contains the absolute path of the machine on which it was made.
        inner = "media/jdway/GameSSD/overlapping/test/"
        above = ("test/", inner, f"Snow100K-testset/{inner}", f"Snow100K-testset/{inner.removeprefix('media/')}", "")
        tests = tuple(Part(tuple(f"{a}Snow100K-{s}" for a in above), **pair, count=_COUNTS[s]) for s in sizes)
        train = Part(("Snow100K-training/all", "all"), **pair, count=50000)
        return [{"train": (train,), "test": tests}]
