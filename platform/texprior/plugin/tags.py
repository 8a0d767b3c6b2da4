"""Lists the tags that change what the platform does or what the conformance kit checks.

All other tags are labels for people. ``docs/hooks.md`` explains each tag.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from enum import StrEnum

from texprior.plugin.records import Component


class Tag(StrEnum):
    """A tag that is read."""

    DETERMINISTIC = "deterministic"
    STOCHASTIC = "stochastic"
    LOCAL = "local"
    CACHEABLE = "cacheable"
    SLOW = "slow"
    OWN_PICTURES = "own-pictures"
    TRACKER = "tracker"


KINDS_OF_TAG: Mapping[Tag, tuple[str, ...]] = {
    Tag.DETERMINISTIC: ("degradation", "sampler"),
    Tag.STOCHASTIC: ("sampler",),
    Tag.LOCAL: ("decomposition", "denoiser", "predictor"),
    Tag.CACHEABLE: ("adapter",),
    Tag.SLOW: ("decomposition",),
    Tag.OWN_PICTURES: ("dataset",),
    Tag.TRACKER: ("events",),
}
"""Tag -> the kinds of components for which it is read."""
_CLOSE = 0.8
"""How alike a label must be to a tag to look misspelt: ``cachable`` is, and ``global`` is not like ``local``."""


def tag_warnings(record: Component) -> list[str]:
    """Returns a sentence for each suspicious tag of a record.

    A tag is suspicious if it looks misspelt, or is not read for the kind of the record.
    """
    read, found = [tag for tag, kinds in KINDS_OF_TAG.items() if record.kind in kinds], []
    for label in record.tags:
        if label in read:
            continue
        if label in KINDS_OF_TAG:
            kinds = ", ".join(KINDS_OF_TAG[Tag(label)])
            found.append(f"tag '{label}' is read for {kinds} only; for this {record.kind} it is a label")
        elif close := difflib.get_close_matches(label.lower().replace("_", "-"), read, n=1, cutoff=_CLOSE):
            found.append(f"tag '{label}' is a label that nothing reads; did you mean '{close[0]}'?")
    return [f"{record.kind}/{record.name}: {sentence}" for sentence in found]
