"""Describes the files of DIV2K and Flickr2K, together called DF2K.

They are clean photographs of about 2K px.
"""

from __future__ import annotations

from collections.abc import Sequence

from texprior_plugins.dataset._published import Layout, Part, Published


class Div2k(Published):
    """The DIV2K data set, with the published validation set as test.

    Papers report on it too, because the published test pictures are not public.
    """

    name = "DIV2K"

    def layouts(self) -> Sequence[Layout]:
        """Returns the form ``DIV2K_train_HR/0001.png`` to ``0800.png``, ``DIV2K_valid_HR/0801.png`` to ``0900.png``."""
        train, test = (
            Part((f"DIV2K_{part}_HR", f"DIV2K/DIV2K_{part}_HR"), clean=r"\d{4}", count=count, looks=looks)
            for part, count, looks in (("train", 800, "0001.png"), ("valid", 100, "0801.png"))
        )
        return [{"train": (train,), "test": (test,)}]


class Flickr2k(Published):
    """The Flickr2K data set. It has no test split; val is carved out of train."""

    name = "Flickr2K"

    def layouts(self) -> Sequence[Layout]:
        """Returns the form ``Flickr2K/Flickr2K_HR/000001.png`` to ``002650.png``."""
        folders = ("Flickr2K/Flickr2K_HR", "Flickr2K_HR")
        return [{"train": (Part(folders, clean=r"\d{6}", count=2650, looks="000001.png"),)}]
