"""Says what is suspicious about components, apart from their help: so a list of them reads no experiment's schema."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from texprior.plugin.tags import tag_warnings

if TYPE_CHECKING:
    from texprior.registry import Entry


def warnings_of(entries: Iterable[Entry]) -> list[str]:
    """Returns a sentence for each plugin whose records were translated, then one for each suspicious tag."""
    found = list(entries)
    plugins = [entry.plugin.warning for entry in found if entry.plugin.warning]
    return list(dict.fromkeys([*plugins, *(text for entry in found for text in tag_warnings(entry.component))]))
