"""Data sets: one that is right, and what goes wrong with them."""

import random
from dataclasses import replace

from texprior.plugin import Dataset, Options, hookimpl

CAUGHT_BY = {
    "right": [],
    "overlapping": ["dataset.splits"],
    "copies": ["dataset.splits"],
    "eight_bits": ["dataset.items"],
    "in_uint8": [],
    "in_int32": ["dataset.items"],
    "pairs_of_two_sizes": ["dataset.items"],
    "shuffled": ["dataset.keys", "any.global-rng"],
    "key_error": ["dataset.unknown-key"],
    "no_licence": ["dataset.provenance"],
    "no_citation": ["dataset.provenance"],
    "a_tuple": ["any.space-works"],
}
NAMES = {"train": ["a", "b"], "val": ["c"], "test": ["d"]}


class Right:
    """Four drawn pictures."""

    def __init__(self, options):
        pass

    def keys(self, split):
        return NAMES.get(split, [])

    def load(self, key):
        from texprior.errors import ImageError
        from texprior.flow.image import Sample

        if key not in ("a", "b", "c", "d"):
            raise ImageError(f"there is no drawn picture named '{key}'; there are a, b, c, d")
        return Sample(key, self.clean(key), self.degraded(key))

    def clean(self, key):
        import torch

        return torch.full((3, 8, 6), "abcd".index(key) / 4)

    def degraded(self, key):
        return self.clean(key) / 2


class Overlapping(Right):
    def keys(self, split):
        return [*super().keys(split), "d"] if split == "train" else super().keys(split)


class Copies(Right):
    """The same picture under two names."""

    def clean(self, key):
        return super().clean("b" if key == "d" else key)


class EightBits(Right):
    def clean(self, key):
        return 255 * super().clean(key)


class InUint8(Right):
    def clean(self, key):
        return (255 * super().clean(key)).byte()

    def degraded(self, key):
        return self.clean(key) // 2


class InInt32(EightBits):
    def clean(self, key):
        return super().clean(key).int()


class PairsOfTwoSizes(Right):
    def degraded(self, key):
        return super().degraded(key)[..., :4]


class Shuffled(Right):
    def keys(self, split):
        names = list("abcdefgh") if split == "train" else []
        random.shuffle(names)
        return names

    def load(self, key):
        return replace(super().load("abcd"["abcdefgh".index(key) % 4] if key in "abcdefgh" else key), key=key)


class KeyErrors(Right):
    def load(self, key):
        from texprior.flow.image import Sample

        return Sample(key, {name: self.clean(name) for name in "abcd"}[key])


class ATuple(Right):
    def load(self, key):
        sample = super().load(key)
        return sample.key, sample.clean


@hookimpl
def texprior_datasets():
    classes = (
        Right,
        Overlapping,
        Copies,
        EightBits,
        InUint8,
        InInt32,
        PairsOfTwoSizes,
        Shuffled,
        KeyErrors,
        Right,
        Right,
        ATuple,
    )
    return [
        Dataset(
            name,
            f"{__name__}:{c.__name__}",
            Options,
            "Drawn.",
            citation="" if name == "no_citation" else "@misc{drawn, title={Drawn}}",
            licence="" if name == "no_licence" else "CC0",
        )
        for name, c in zip(CAUGHT_BY, classes, strict=True)
    ]
