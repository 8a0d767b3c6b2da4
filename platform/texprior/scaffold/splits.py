"""Shares the photographs of a folder among train, val and test."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from texprior.errors import ConfigError

SPLITS = ("train", "val", "test")
_SHARE, _MOST = 0.1, 100
"""Share of the scenes that val and test get, each, and how many of them at most: more cost time and decide little."""


def shared_out(scenes: Mapping[str, str]) -> dict[str, list[str]]:
    """Returns split -> keys, sorted. ``scenes`` maps the key of each picture to its scene.

    All pictures of a scene are in one split. If all keys begin with ``train/``, ``val/`` or ``test/``, they say the
    split; a missing val or test is taken from train. Otherwise a hash of the scene's name decides. Raises ConfigError
    if there are too few scenes.
    """
    named = {key: PurePosixPath(key).parts[0] for key in scenes}
    told = set(named.values()) <= set(SPLITS) and "train" in named.values()
    found = {split: [key for key in scenes if told and named[key] == split] for split in SPLITS}
    if not told:
        found["train"] = list(scenes)
    wanted = min(_MOST, max(1, round(_SHARE * len({scenes[key] for key in found["train"]}))))
    for split in SPLITS[1:]:
        if not found[split]:
            found[split] = _taken(found["train"], scenes, wanted, split)
            found["train"] = [key for key in found["train"] if key not in set(found[split])]
    return {split: sorted(keys) for split, keys in found.items()}


def _taken(keys: Sequence[str], scenes: Mapping[str, str], wanted: int, split: str) -> list[str]:
    """Returns the keys of the scenes that leave train."""
    ordered = sorted({scenes[key] for key in keys}, key=lambda scene: hashlib.sha256(scene.encode()).hexdigest())
    if len(ordered) < 2:
        raise ConfigError(
            f"there is no scene left for {split}: give three photographs or more, one each for train, val and test"
        )
    # one scene at least stays to train on
    chosen = set(ordered[: min(wanted, len(ordered) - 1)])
    return [key for key in keys if scenes[key] in chosen]
