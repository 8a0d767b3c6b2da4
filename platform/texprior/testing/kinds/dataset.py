"""Checks the rules of data sets."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import torch
from torch import Tensor

from texprior.errors import ConfigError, ImageError
from texprior.flow.contract import require_type
from texprior.flow.image import PictureSet, Sample, in_floats
from texprior.plugin import Dataset
from texprior.testing.catalogue import check
from texprior.testing.outcomes import NotRun, require
from texprior.testing.probe import PROBES, Inputs, Probe, having
from texprior.testing.subject import Subject

SPLITS = ("train", "val", "test")
LOOKED_AT = 3
"""Items of a split that are loaded: few, because a published data set may have large files."""


def _loaded(dataset: PictureSet, count: int = LOOKED_AT) -> Iterator[tuple[str, Sample]]:
    for split in SPLITS:
        for key in list(dataset.keys(split))[:count]:
            yield key, dataset.load(key)


def _work(dataset: PictureSet, _inputs: Inputs) -> tuple[Tensor, ...]:
    samples = [sample for _, sample in _loaded(dataset, 1)]
    for sample in samples:
        require_type(dataset, sample, Sample, "what load returns")
        require_type(dataset, sample.clean, Tensor, "a clean picture")
    return tuple(sample.clean for sample in samples)


PROBES["dataset"] = Probe(dict, _work, methods=having("keys", "load"))


@check("dataset.keys", "dataset")
def keys(subject: Subject) -> None:
    """The keys of a split are distinct texts in a fixed order, also in a new instance. At least one split has pictures,
    and a split that does not exist is empty.

    Fix: sort the names; return an empty list for a split that does not exist.
    """
    first, second = subject.build(), subject.build()
    found = {split: list(first.keys(split)) for split in SPLITS}
    require(any(found.values()), "train, val and test are all empty")
    for split, names in found.items():
        require(all(isinstance(name, str) and name for name in names), f"{split}: not all keys are non-empty texts")
        require(len(set(names)) == len(names), f"{split}: a key appears twice")
        again = list(first.keys(split)), list(second.keys(split))
        require(again == (names, names), f"{split}: a second call or instance returns other keys or another order")
    require(list(first.keys("no-such-split")) == [], "a split that does not exist has keys")


@check("dataset.items", "dataset")
def items(subject: Subject) -> None:
    """An item is a ``Sample`` with its key. Its pictures are (3, H, W), float32, finite and in [0, 1], or uint8. The
    clean and the degraded picture have the same size.

    Fix: read files with ``texprior.flow.image.load_image``; raise ImageError if the sizes of a pair differ.
    """
    for key, sample in _loaded(subject.shared()):
        require(isinstance(sample, Sample), f"'{key}' is loaded as {type(sample).__name__} instead of Sample")
        require(sample.key == key, f"the sample of '{key}' has the key {sample.key!r}")
        sample = in_floats(sample)
        for name, picture in (("clean", sample.clean), ("degraded", sample.degraded)):
            if picture is not None:
                _require_picture(f"'{key}' {name}", picture)
        if sample.degraded is not None:
            sizes = tuple(sample.clean.shape), tuple(sample.degraded.shape)
            require(sizes[0] == sizes[1], f"'{key}': clean is {sizes[0]}, degraded {sizes[1]}")


@check("dataset.splits", "dataset")
def splits(subject: Subject) -> None:
    """No picture is in two splits: train, val and test share no key, and the pictures that the check loads differ.

    Fix: use the published lists, or split by scene before anything else; if you split by names, copies remain.
    """
    dataset = subject.shared()
    named = {split: set(dataset.keys(split)) for split in SPLITS}
    filled = [split for split in SPLITS if named[split]]
    if len(filled) < 2:
        raise NotRun(f"only {filled or 'no split'} has pictures: pass options with more than one split")
    for a, b in combinations(filled, 2):
        both = sorted(named[a] & named[b])
        require(not both, f"{a} and {b} share {len(both)} keys, such as '{both[0] if both else ''}'")

    # copies may have different names, so compare the pixels too
    content: dict[bytes, tuple[str, str]] = {}
    for split in filled:
        for key in sorted(named[split])[: 2 * LOOKED_AT]:
            pixels = dataset.load(key).clean.numpy().tobytes()
            earlier = content.setdefault(pixels, (split, key))
            require(earlier[0] == split, f"'{key}' of {split} is the same picture as '{earlier[1]}' of {earlier[0]}")


@check("dataset.unknown-key", "dataset")
def unknown_key(subject: Subject) -> None:
    """A key that does not exist raises ImageError (or ConfigError) with a sentence, not a bare KeyError.

    Fix: ``raise ImageError(f"there is no picture named '{key}' ...")``.
    """
    try:
        subject.shared().load("no such key")
    except (ImageError, ConfigError) as error:
        require(len(str(error)) > 10, f"the message is only {str(error)!r}")
    else:
        require(False, "a key that does not exist returns a picture")


@check("dataset.provenance", "dataset", after=())
def provenance(subject: Subject) -> None:
    """The record names the licence of the pictures and cites their source. A data set of the user's own pictures
    says ``own_pictures=True`` instead of a citation.

    Fix: fill in ``licence`` and ``citation``.
    """
    assert isinstance(subject.record, Dataset)
    require(subject.record.licence.strip(), "the record has no licence")
    require(subject.record.citation.strip() or subject.record.own_pictures, "the record has no citation")


def _require_picture(what: str, picture: Tensor) -> None:
    require(picture.ndim == 3 and picture.shape[0] == 3, f"{what}: shape {tuple(picture.shape)}")
    require(picture.dtype == torch.float32, f"{what}: {picture.dtype}")
    require(torch.isfinite(picture).all(), f"{what}: not all values are finite")
    low, high = float(picture.min()), float(picture.max())
    require(low >= 0 and high <= 1, f"{what}: values from {low:.3g} to {high:.3g}")
