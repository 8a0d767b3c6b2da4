"""Checks, before anything is trained, that the splits of a command can be used."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from texprior.errors import ConfigError, ImageError
from texprior.flow.degrade import RULE
from texprior.flow.image import PictureSet
from texprior.runtime.session import Session
from texprior.runtime.shared_caches import Brings

MIXED: Brings = "pairs of a mixed data set"
_SAMPLED = 8
"""Pictures of a split that are loaded to see what it brings. Few, as each is decoded; at least two of each data set in
a union, whose data sets may be of both kinds."""


def require_splits(session: Session, *splits: str) -> None:
    """Raises ConfigError if a split cannot be used or lacks degraded pictures.

    A split without degraded pictures is accepted if there is a degradation for them. A split can be used if it is set,
    has pictures, and shares none with an earlier split. All splits of a command are looked at, because they have one
    degradation.
    """
    if "train" in splits:
        session.refuse_overlap_with_prior()
    found = {split: _brought(session, split) for split in splits}
    named = session.experiment.degradation
    wanted: Brings = "pairs" if named is None else "clean pictures only"
    wrong = next((split for split, brings in found.items() if brings - {wanted, MIXED}), None)
    if wrong is None and named is not None and found.get("train") == frozenset({MIXED}):
        wrong = "train"
    if wrong is None:
        return

    # what would help: another degradation if all splits agree, else another data set for the split
    has = "degradation is null" if named is None else f"degradation is '{named.name}'"
    said = ", ".join(f"data.{split} '{_name(session, split)}' brings {_both(found[split])}" for split in splits)
    if any(found[split] != found[wrong] for split in splits) or len(found[wrong]) > 1:
        remedy = f"all splits of a command must be alike: set data.{wrong} to a data set that brings {wanted}"
        if named is not None:
            remedy += ", or to one that brings both on purpose, such as 'mixed'"
    else:
        remedy = "name a degradation" if named is None else "set 'degradation: null'"
    raise ConfigError(f"{said}, but {has}; {RULE}; {remedy}")


def _brought(session: Session, split: str) -> frozenset[Brings]:
    """Returns what some pictures of a split bring; those that cannot be read are left out."""
    known = session.caches.brought
    here = (split, session.experiment.seed, session.experiment.data.model_dump_json())
    dataset, keys = session.pictures(split)
    if here not in known:
        brings: set[Brings] = set()
        for key in _some(dataset, keys):
            with contextlib.suppress(ImageError):  # the command names it later
                sample = dataset.load(key)
                pairs: Brings = MIXED if sample.mixed else "pairs"
                brings.add("clean pictures only" if sample.degraded is None else pairs)
        known[here] = frozenset(brings)
    return known[here]


def _some(dataset: PictureSet, keys: Sequence[str]) -> list[str]:
    """Returns some keys, evenly spread over each of the data sets that a data set consists of."""
    parts: dict[str, list[str]] = {}
    for key in keys:
        parts.setdefault(dataset.part(key) if hasattr(dataset, "part") else "", []).append(key)
    each = max(2, _SAMPLED // len(parts)) if parts else 1
    return [key for part in parts.values() for key in part[:: -(-len(part) // each)]]


def _both(brings: frozenset[Brings]) -> str:
    return " and ".join(sorted(brings)) or "no picture that can be read"


def _name(session: Session, split: str) -> str:
    name: str = getattr(session.experiment.data, split).name
    return name
