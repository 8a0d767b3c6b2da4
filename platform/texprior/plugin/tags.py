"""Warns of tags that look like a declaration.

Tags are free words: nothing depends on them. A property that the platform or the conformance kit reads is a field.
"""

from __future__ import annotations

import difflib

from texprior.plugin.api_1 import field_of
from texprior.plugin.hooks import HOOK_OF_KIND
from texprior.plugin.records import Component, flags_of

_CLOSE = 0.8
"""How alike a tag must be to a field to look misspelt: ``cachable`` is, and ``global`` is not like ``local``."""


def tag_warnings(record: Component) -> list[str]:
    """Returns a sentence for each tag of a record that looks like a field, which its author may have meant."""
    found = [f"{record.kind}/{record.name}: {said}" for tag in record.tags if (said := _suspicion(tag, record))]
    return list(dict.fromkeys(found))


def _suspicion(tag: str, record: Component) -> str:
    own, word = flags_of(type(record)), field_of(tag.lower())
    if word in own:
        # a record may have both: the tag is then a word by which the component is found
        return "" if getattr(record, word) else f"tag '{tag}' is a word that nothing reads; write {word}=True"
    kinds = [kind for kind, (_, other) in HOOK_OF_KIND.items() if word in flags_of(other)]
    if kinds:
        return f"tag '{tag}' is a word that nothing reads; the field {word} is of {', '.join(kinds)} only"
    close = difflib.get_close_matches(word, own, n=1, cutoff=_CLOSE)
    return f"tag '{tag}' is a word that nothing reads; did you mean {close[0]}=True?" if close else ""
