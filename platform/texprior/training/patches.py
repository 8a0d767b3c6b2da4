"""Prepares photographs and cuts patches from them.

Filters act on whole photographs, and patches are cut afterwards. A patch therefore has no borders that a filter saw.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain, islice

import torch
from torch import Tensor

from texprior.diffusion.keys import generator, permutation
from texprior.errors import ImageError, TexpriorError
from texprior.flow.augment import PatchAugmentation, augmented
from texprior.flow.code import Place, in_rows
from texprior.training.slabs import Slabs, bytes_of

log = logging.getLogger(__name__)
Prepared = Mapping[str, Tensor]
"""The tensors of one photograph by name: pictures (C, H, W) of one size, and ``code``.

The code is (N, width), or a map (width, h, w) in a pool that has a ``place``.
"""


class Pool:
    """Whole photographs, prepared on first use and kept in memory up to ``cache_mb``.

    If the memory is full, a photograph is prepared and used, but not kept. The photographs that are kept then stay, so
    that every epoch finds as many of them as fit. A photograph that cannot be read is replaced by the next one. The log
    names it once, and ``broken`` lists it with the reason.

    A key that is there several times is visited as often in an epoch. A ``fresh`` pool prepares a photograph anew for
    every visit, under its key with ``#`` and the number of the visit.
    """

    def __init__(
        self,
        keys: Sequence[str],
        prepare: Callable[[str], Prepared],
        cache_mb: int,
        place: Place | None = None,
        fresh: bool = False,
    ) -> None:
        self.keys, self.place, self.fresh = list(keys), place, fresh
        self.prepare = prepare
        self._visits, self._earlier = Counter(self.keys), _earlier(self.keys)
        self.room = cache_mb * 2**20
        self.kept: dict[str, Prepared] = {}
        """The photographs in memory, the last used one last."""
        self.taking_turns = 0
        """How many of the last used photographs stay in any case, because they are used again soon; 0 for none."""
        self.announce: Callable[[Sequence[str]], None] | None = None
        """Called with the keys of the photographs that are used next."""
        self.bytes = 0
        self._slabs = Slabs(self.room)
        self.broken: dict[str, str] = {}

    def expect(self, indices: Iterable[int]) -> None:
        """Announces the photographs that are used next, so that they can be prepared in the meantime."""
        if self.announce is not None:
            self.announce([self._key(index) for index in indices if self._name(index) not in self.broken])

    def __len__(self) -> int:
        """Returns the number of photographs of an epoch."""
        return len(self.keys)

    def __getitem__(self, index: int) -> Prepared:
        """Returns a photograph; indices from ``len`` on are those of later epochs."""
        epoch, photograph = divmod(index, len(self))
        # the visits of a photograph that cannot be read go to different ones: each goes on by steps of its own
        step = 1 + self._earlier[photograph]
        for offset in chain(range(0, step * len(self), step), range(len(self) if step > 1 else 0)):
            other = epoch * len(self) + (photograph + offset) % len(self)
            if self._name(other) in self.broken:
                continue
            try:
                return self._get(self._key(other))
            except ImageError as error:
                self.broken[self._name(other)] = str(error)
                log.warning("left out of training: %s", error)
        raise TexpriorError("none of the training photographs can be read")

    def _name(self, index: int) -> str:
        return self.keys[index % len(self)]

    def _key(self, index: int) -> str:
        """Returns what a photograph is prepared and kept under."""
        name, (epoch, position) = self._name(index), divmod(index, len(self))
        return f"{name}#{epoch * self._visits[name] + self._earlier[position]}" if self.fresh else name

    def _get(self, key: str) -> Prepared:
        known = self.kept.pop(key, None)
        item = self._prepared(key) if known is None else known
        self.kept[key] = item
        if known is None:
            self.bytes += bytes_of(item)
            self._make_room()
        return item

    def _prepared(self, key: str) -> Prepared:
        """Prepares a photograph, in the memory of those that stay if it is one."""
        item = self.prepare(key)
        stays = not self.fresh and self.bytes + bytes_of(item) <= self.room
        return self._slabs.keep(item) if stays else item

    def _make_room(self) -> None:
        """Drops what was used last, except what takes turns: an epoch that has used it needs it no more.

        What was used longest ago would be the wrong choice: each epoch visits all photographs in a new order, so that
        this is often the next one.
        """
        # Of those that take turns the oldest goes if even they do not fit, but the newest stays: its memory is in use.
        while self._too_many() and len(self.kept) > min(1, self.taking_turns):
            after = min(self.taking_turns, len(self.kept) - 1)
            self.bytes -= bytes_of(self.kept.pop(next(islice(reversed(self.kept), after, None))))

    def _too_many(self) -> bool:
        """Returns whether a photograph must go: the memory is full, or no later epoch will use the oldest again."""
        return self.bytes > self.room or (self.fresh and len(self.kept) > self.taking_turns)


TOGETHER = 16
"""How many photographs are visited at a time if a visit cuts several patches.

More of them make a batch more varied, but all must fit into the memory of the pool at once."""


class Patches:
    """Cuts the patch of a sample number.

    Photograph, place and augmentation depend on (seed, sample number) only. Every photograph is visited once before any
    is visited again. A visit cuts ``per_visit`` patches, which share the cost of a slow filter or a large file. They
    are not cut one after the other: TOGETHER visits take turns, so that a batch still contains patches of many
    photographs. The memory of the pool should hold TOGETHER prepared photographs.
    """

    def __init__(
        self,
        pool: Pool,
        patch: int,
        seed: int,
        per_visit: int = 1,
        augmentations: Sequence[PatchAugmentation] = (),
    ) -> None:
        self.pool, self.patch, self.seed, self.per_visit = pool, patch, seed, per_visit
        self.augmentations = augmentations
        pool.taking_turns = TOGETHER if per_visit > 1 else 0
        self._orders: dict[int, Tensor] = {}

    def expect(self, numbers: Iterable[int]) -> None:
        """Announces the sample numbers that are cut next."""
        if self.pool.announce is not None:
            self.pool.expect(self.photograph(number) for number in numbers)

    def batch(self, numbers: Sequence[int]) -> dict[str, Tensor]:
        """Returns the stacked patches (B, C, patch, patch) by name.

        Codes are (B, N, width).
        """
        samples = [self.sample(n) for n in numbers]
        return {name: torch.stack([s[name] for s in samples]) for name in samples[0]}

    def sample(self, number: int) -> dict[str, Tensor]:
        """Cuts one patch, at the same place from every picture of the photograph, and augments it.

        A code stays as it is; of a map it becomes the tokens of the patch.
        """
        item, place = self.pool[self.photograph(number)], self.pool.place
        height, width = next(t.shape[-2:] for t in item.values() if t.dim() == 3)
        rng = generator(self.seed, "crop", number)
        top = int(torch.randint(height - self.patch + 1, (), generator=rng))
        left = int(torch.randint(width - self.patch + 1, (), generator=rng))
        rows, columns = slice(top, top + self.patch), slice(left, left + self.patch)
        cut = {name: tensor[:, rows, columns] for name, tensor in item.items() if tensor.dim() == 3}
        if place is not None:
            cut["code"] = place.grid(item["code"], rows, columns)
        found = augmented(cut, self.augmentations, rng)
        if place is not None:
            found = {**found, "code": in_rows(found["code"][None])[0]}
        return {**item, **found}

    def photograph(self, number: int) -> int:
        """Returns the index, in the pool, of the photograph that a sample is cut from.

        A fresh pool has indices for every epoch.
        """
        # A block is TOGETHER visits. Inside it, consecutive samples go around the visits, ``per_visit`` times.
        block, within = divmod(number, TOGETHER * self.per_visit)
        epoch, position = divmod(block * TOGETHER + within % TOGETHER, len(self.pool))
        if epoch not in self._orders:
            # A block may touch several epochs if the pool is small, up to TOGETHER with a single photograph. Their
            # orders are kept, because a permutation is too slow to be made for every sample.
            self._orders = {e: order for e, order in self._orders.items() if abs(e - epoch) <= TOGETHER}
            self._orders[epoch] = permutation(len(self.pool), self.seed, "order", epoch)
        return int(self._orders[epoch][position]) + (epoch * len(self.pool) if self.pool.fresh else 0)


def require_size(image_CHW: Tensor, patch: int, key: str) -> None:
    """Raises ImageError if a photograph is too small for a patch."""
    height, width = image_CHW.shape[-2:]
    if min(height, width) < patch:
        raise ImageError(f"{key}: {width}x{height} px is smaller than the training patch of {patch} px")


def _earlier(keys: Sequence[str]) -> list[int]:
    """Returns how often each key was there before."""
    seen = Counter[str]()
    found = []
    for key in keys:
        found.append(seen[key])
        seen[key] += 1
    return found
