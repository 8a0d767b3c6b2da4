"""Overlap: pictures that two data sets share, found by where they come from and by the bytes of their files."""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from texprior.flow.image import PictureSet
from texprior.store import sha256

Keyed = tuple[PictureSet, Sequence[str]]
"""A data set and its keys."""


def find_overlap(here: Keyed, there: Keyed) -> list[str]:
    """The keys of one data set whose picture is in another one too, sorted.

    A data set that says where a picture comes from (``source(key)``) is compared by that, and by content: files of
    equal length are read and hashed, so that a copy under another name is found. Others are not compared.
    """
    ours, theirs = _sources(here), _sources(there)
    shared = {key for key, source in ours.items() if source in set(theirs.values())}
    by_size: dict[int, list[Path]] = defaultdict(list)
    for source in set(theirs.values()):
        if (file := Path(source)).is_file():
            by_size[file.stat().st_size].append(file)
    content = functools.cache(sha256)
    for key, source in ours.items():
        file = Path(source)
        if key not in shared and file.is_file():
            twins = by_size.get(file.stat().st_size, [])
            if twins and content(file) in map(content, twins):
                shared.add(key)
    return sorted(shared)


def _sources(keyed: Keyed) -> dict[str, str]:
    dataset, keys = keyed
    # ``source`` is optional in the contract of a data set: one that makes its pictures has nothing to say
    source = getattr(dataset, "source", None)
    return {key: str(source(key)) for key in keys} if source else {}
