"""Describes the files of LOL.

They are photographs in low light, and the same with a longer exposure.
"""

from __future__ import annotations

from collections.abc import Sequence

from texprior_plugins.dataset._published import Layout, Part, Published


class Lol(Published):
    """The LOL data set. Test is the published eval15; val is carved out of our485."""

    name = "LOL"

    def layouts(self) -> Sequence[Layout]:
        """Returns the form ``our485/low/2.png`` of ``our485/high/2.png``; ``eval15`` is alike."""
        pair = {"clean": r"high/\1", "degraded": r"low/(\d+)", "looks": "low/1.png and high/1.png"}
        train, test = (
            Part((name, f"LOLdataset/{name}", f"lol_dataset/{name}"), **pair, count=count)
            for name, count in (("our485", 485), ("eval15", 15))
        )
        return [{"train": (train,), "test": (test,)}]
