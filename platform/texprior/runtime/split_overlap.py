"""Finds pictures that two data sets share.

Pictures are compared by their source and by the bytes of their files.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from texprior.flow.image import PictureSet
from texprior.store import sha256

Keyed = tuple[PictureSet, Sequence[str]]
"""A data set and the keys of one of its splits."""


def find_overlap(here: Keyed, there: Keyed, copies: bool = True) -> list[str]:
    """Returns the keys of one data set whose picture is also in another one, sorted.

    Data sets are compared by the sources of their pictures (``source(key)``) and by content. Files of equal length are
    read and hashed, to find a copy under another name, if ``copies``. A data set without ``source`` is not compared.
    """
    ours, theirs = sources_of(here), sources_of(there)
    known = set(theirs.values())
    shared = {key for key, source in ours.items() if source in known}
    if not copies:
        return sorted(shared)

    # Hashing reads a whole file, so only files of equal length are hashed, and each of them once.
    by_size: dict[int, list[Path]] = defaultdict(list)
    for source in known:
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


def sources_of(keyed: Keyed) -> dict[str, str]:
    """Returns key -> source of its picture; nothing if the data set does not tell."""
    dataset, keys = keyed
    # ``source`` is optional in the contract of a data set: pictures that are computed have no source
    source = getattr(dataset, "source", None)
    return {key: str(source(key)) for key in keys} if source else {}
