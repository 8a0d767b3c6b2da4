"""Rules of data sets."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

import torch
from torch import Tensor

from texprior.errors import ConfigError, ImageError
from texprior.flow.image import PictureSet, Sample
from texprior.plugin import Dataset
from texprior.testing.catalogue import check
from texprior.testing.outcomes import NotRun, require
from texprior.testing.probe import PROBES, Inputs, Probe, having
from texprior.testing.subject import Subject

SPLITS = ("train", "val", "test")
LOOKED_AT = 3
"""Items of a split that are loaded."""
OWN = "own-pictures"
"""The tag of data sets whose pictures are the user's: nothing to cite."""


def _loaded(dataset: PictureSet, count: int = LOOKED_AT) -> Iterator[tuple[str, Sample]]:
    for split in SPLITS:
        for key in list(dataset.keys(split))[:count]:
            yield key, dataset.load(key)


def _work(dataset: Any, _inputs: Inputs) -> tuple[Tensor, ...]:
    return tuple(sample.clean for _, sample in _loaded(dataset, 1))


PROBES["dataset"] = Probe(dict, _work, methods=having("keys", "load"))


@check("dataset.keys", "dataset")
def keys(subject: Subject) -> None:
    """A split's keys are different texts in a fixed order, the same in a new instance; some split has pictures, and one
    that does not exist is empty.

    Fix: sort the names; return an empty list for a split that is not there.
    """
    first, second = subject.build(), subject.build()
    found = {split: list(first.keys(split)) for split in SPLITS}
    require(any(found.values()), "train, val and test are all empty")
    for split, names in found.items():
        require(all(isinstance(name, str) and name for name in names), f"{split}: keys that are no text")
        require(len(set(names)) == len(names), f"{split}: a key comes twice")
        again = list(first.keys(split)), list(second.keys(split))
        require(again == (names, names), f"{split}: asked again, the keys are others or in another order")
    require(list(first.keys("no-such-split")) == [], "a split that does not exist has keys")


@check("dataset.items", "dataset")
def items(subject: Subject) -> None:
    """An item is a ``Sample`` with its key; its pictures are (3, H, W), float32, finite and in [0, 1]; clean and
    degraded are of one size.

    Fix: read files with ``texprior.flow.image.load_image``; refuse a pair of two sizes with ImageError.
    """
    for key, sample in _loaded(subject.shared()):
        require(isinstance(sample, Sample), f"'{key}' is loaded as {type(sample).__name__}")
        require(sample.key == key, f"'{key}' comes with the key {sample.key!r}")
        for name, picture in (("clean", sample.clean), ("degraded", sample.degraded)):
            if picture is not None:
                _require_picture(f"'{key}' {name}", picture)
        if sample.degraded is not None:
            sizes = tuple(sample.clean.shape), tuple(sample.degraded.shape)
            require(sizes[0] == sizes[1], f"'{key}': clean is {sizes[0]}, degraded {sizes[1]}")


@check("dataset.splits", "dataset")
def splits(subject: Subject) -> None:
    """No picture is in two splits: train, val and test share no key, and those looked at no content.

    Fix: take the published lists, or split by scene before anything else; a split of names alone does not see copies.
    """
    dataset = subject.shared()
    named = {split: set(dataset.keys(split)) for split in SPLITS}
    filled = [split for split in SPLITS if named[split]]
    if len(filled) < 2:
        raise NotRun(f"only {filled or 'no split'} has pictures: hand in options with more than one split")
    for a, b in combinations(filled, 2):
        both = sorted(named[a] & named[b])
        require(not both, f"{a} and {b} share {len(both)} keys, such as '{both[0] if both else ''}'")
    content: dict[bytes, tuple[str, str]] = {}
    for split in filled:
        for key in sorted(named[split])[: 2 * LOOKED_AT]:
            pixels = dataset.load(key).clean.numpy().tobytes()
            earlier = content.setdefault(pixels, (split, key))
            require(earlier[0] == split, f"'{key}' of {split} is the picture '{earlier[1]}' of {earlier[0]}")


@check("dataset.unknown-key", "dataset")
def unknown_key(subject: Subject) -> None:
    """A key that is not there raises ImageError (or ConfigError) with a sentence, no bare KeyError.

    Fix: ``raise ImageError(f"there is no picture named '{key}' ...")``.
    """
    try:
        subject.shared().load("no such key")
    except (ImageError, ConfigError) as error:
        require(len(str(error)) > 10, f"the sentence is {str(error)!r}")
    else:
        require(False, "a key that is not there gives a picture")


@check("dataset.provenance", "dataset")
def provenance(subject: Subject) -> None:
    """The record names the licence of the pictures and cites where they come from; a data set of the user's own
    pictures has the tag ``own-pictures`` instead of a citation.

    Fix: fill ``licence`` and ``citation``.
    """
    assert isinstance(subject.record, Dataset)
    require(subject.record.licence.strip(), "no licence")
    require(subject.record.citation.strip() or OWN in subject.record.tags, "no citation")


def _require_picture(what: str, picture: Tensor) -> None:
    require(picture.ndim == 3 and picture.shape[0] == 3, f"{what}: shape {tuple(picture.shape)}")
    require(picture.dtype == torch.float32, f"{what}: {picture.dtype}")
    require(torch.isfinite(picture).all(), f"{what}: values that are no finite numbers")
    low, high = float(picture.min()), float(picture.max())
    require(low >= 0 and high <= 1, f"{what}: values from {low:.3g} to {high:.3g}")
