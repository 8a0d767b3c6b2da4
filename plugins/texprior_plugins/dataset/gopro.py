"""Describes the files of GoPro: blur made by averaging the frames of a high-speed camera."""

from __future__ import annotations

from collections.abc import Sequence

from texprior_plugins.dataset import GoproOptions
from texprior_plugins.dataset._published import Layout, Part, Published


class Gopro(Published):
    """The GoPro data set. Val is carved out of train in whole sequences."""

    name = "GoPro"
    options: GoproOptions

    def layouts(self) -> Sequence[Layout]:
        """Returns the form ``train/GOPR0372_07_00/blur/000047.png`` of ``.../sharp/000047.png``; ``test`` is alike."""
        blur = {"gamma": "blur_gamma", "linear": "blur"}[self.options.blur]
        looks = f"GOPR0372_07_00/{blur}/000047.png and GOPR0372_07_00/sharp/000047.png"
        pair = {"clean": r"\1/sharp/\2", "degraded": rf"(\w+)/{blur}/(\d+)", "scene": r"\1", "looks": looks}
        train, test = (
            Part((f"GOPRO_Large/{name}", name), **pair, count=count)
            for name, count in (("train", 2103), ("test", 1111))
        )
        return [{"train": (train,), "test": (test,)}]
