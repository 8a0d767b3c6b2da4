"""Describes the files of RESIDE: synthetic haze indoors (ITS) and outdoors (OTS).

SOTS is the split ``test``. The clean pictures of SOTS indoors have a border of 10 px that the hazy ones lack. It is cut
off.
"""

from __future__ import annotations

from collections.abc import Sequence

from texprior_plugins.dataset import ResideOptions
from texprior_plugins.dataset._published import Layout, Part, Published


class Reside(Published):
    """The RESIDE data set.

    If val was not published, it is carved out of train, all hazy versions of a photograph together.
    """

    name = "RESIDE"
    crops = True
    options: ResideOptions

    def layouts(self) -> Sequence[Layout]:
        """Returns the two published forms: the standard one and the first one.

        The standard form has 1,399 photographs in ITS and 2,061 in OTS, the first one 10,000 and 8,970.
        """
        if self.options.scenes == "indoor":
            test = self._part(self._sots("indoor/nyuhaze500", "indoor"), "hazy", "gt", 500)
            standard = self._part(("ITS_v2", "ITS"), "hazy", "clear", 13990)
            train = self._part(("ITS/train",), "ITS_haze", "ITS_clear", 100000)
            val = self._part(("ITS/val",), "haze", "clear", 10000)
            return [{"train": (train,), "val": (val,), "test": (test,)}, {"train": (standard,), "test": (test,)}]
        test = self._part(self._sots("outdoor"), "hazy", "gt", 500)
        standard = self._part(("OTS_BETA", "OTS"), "haze", "clear", 72135)
        first = self._part(("OTS_ALPHA",), "OTS", "clear_images", 313950)
        return [{"train": (standard,), "test": (test,)}, {"train": (first,), "test": (test,)}]

    def _sots(self, *names: str) -> tuple[str, ...]:
        return tuple(f"{above}{name}" for name in names for above in ("SOTS/", "SOTS/SOTS/"))

    def _part(self, folders: tuple[str, ...], hazy: str, clear: str, count: int) -> Part:
        looks = f"{hazy}/1_1_0.9.png and {clear}/1.png"
        degraded = rf"(?:{hazy}|hazy)/(\d+)_[\d._]+"
        return Part(folders, clean=rf"{clear}/\1", degraded=degraded, count=count, looks=looks)
