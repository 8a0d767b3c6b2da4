"""Translates records of plugin API 1, in which tags had a meaning and a metric need not say its direction.

The tables say what API 1 was, and do not change: a field that a later API adds is not set by a tag.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from texprior.plugin.records import Component, Metric

KINDS_OF_TAG: Mapping[str, tuple[str, ...]] = {
    "deterministic": ("degradation", "sampler"),
    "stochastic": ("sampler",),
    "local": ("decomposition", "denoiser", "predictor"),
    "cacheable": ("adapter",),
    "slow": ("decomposition",),
    "own-pictures": ("dataset",),
    "tracker": ("events",),
}
"""Tag with a meaning in API 1 -> the kinds of components for which it had one."""


def translate(record: Component) -> tuple[Component, str]:
    """Returns a record as the current API has it, and what its author should write; empty if nothing."""
    if record.api > 1:
        return record, ""
    known = (tag for tag in dict.fromkeys(record.tags) if record.kind in KINDS_OF_TAG.get(tag, ()))
    tags = [tag for tag in known if not getattr(record, field_of(tag))]
    advice = [f"{field_of(tag)}=True instead of the tag '{tag}'" for tag in tags]
    meant: dict[str, Any] = {field_of(tag): True for tag in tags}
    translated = replace(record, **meant)
    if isinstance(translated, Metric) and not translated.better:
        translated = replace(translated, better="higher")
        advice.append("better= (not said, so 'higher' is assumed)")
    return translated, f"in {record.kind}/{record.name} {' and '.join(advice)}" if advice else ""


def field_of(tag: str) -> str:
    """Returns the field that took the place of a tag."""
    return tag.replace("-", "_")
