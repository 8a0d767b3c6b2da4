"""Prepared photographs and the patches cut from them: filters act on whole photographs, patches come after."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from texprior.diffusion.keys import generator, permutation
from texprior.errors import ImageError, TexpriorError

log = logging.getLogger(__name__)
Prepared = Mapping[str, Tensor]
"""What belongs to one photograph: pictures (C, H, W) of one size, and codes (N, width)."""


class Pool:
    """Whole photographs, prepared on first use and kept while they fit into ``cache_mb``.

    A photograph that cannot be read is named once, replaced by the next one, and listed in ``broken``.
    """

    def __init__(self, keys: Sequence[str], prepare: Callable[[str], Prepared], cache_mb: int) -> None:
        self.keys = list(keys)
        self.prepare = prepare
        self.room = cache_mb * 2**20
        self.kept: OrderedDict[str, Prepared] = OrderedDict()
        self.bytes = 0
        self.broken: dict[str, str] = {}

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, index: int) -> Prepared:
        for offset in range(len(self.keys)):
            key = self.keys[(index + offset) % len(self.keys)]
            if key in self.broken:
                continue
            try:
                return self._get(key)
            except ImageError as error:
                self.broken[key] = str(error)
                log.warning("left out of training: %s", error)
        raise TexpriorError("none of the training photographs can be read")

    def _get(self, key: str) -> Prepared:
        if key in self.kept:
            self.kept.move_to_end(key)
            return self.kept[key]
        item = self.prepare(key)
        self.kept[key] = item
        self.bytes += _bytes(item)
        while self.bytes > self.room and len(self.kept) > 1:
            self.bytes -= _bytes(self.kept.popitem(last=False)[1])
        return item


TOGETHER = 16
"""Photographs that patches are cut from in turn while each of them is visited for several."""


class Patches:
    """Sample number -> patch: photograph, place and flips are functions of (seed, sample number) alone.

    Every photograph is visited once before any is visited again. A visit gives ``per_visit`` patches, so that what a
    slow filter or a large file costs is shared among them. They are not cut one after the other: TOGETHER visits take
    turns, and a batch still sees as many photographs. (The memory for prepared pictures should hold so many.)
    """

    def __init__(self, pool: Pool, patch: int, seed: int, per_visit: int = 1) -> None:
        self.pool, self.patch, self.seed, self.per_visit = pool, patch, seed, per_visit
        self._orders: dict[int, Tensor] = {}

    def batch(self, numbers: Sequence[int]) -> dict[str, Tensor]:
        """Stacked patches (B, C, patch, patch), and codes (B, N, width) as they are."""
        samples = [self.sample(n) for n in numbers]
        return {name: torch.stack([s[name] for s in samples]) for name in samples[0]}

    def sample(self, number: int) -> dict[str, Tensor]:
        """One patch of everything that the photograph's pool entry holds."""
        item = self.pool[self.photograph(number)]
        height, width = next(t.shape[-2:] for t in item.values() if t.dim() == 3)
        rng = generator(self.seed, "crop", number)
        top = int(torch.randint(height - self.patch + 1, (), generator=rng))
        left = int(torch.randint(width - self.patch + 1, (), generator=rng))
        flips = [axis for axis in (-2, -1) if torch.rand((), generator=rng) < 0.5]
        turned = bool(torch.rand((), generator=rng) < 0.5)
        return {name: self._cut(t, top, left, flips, turned) if t.dim() == 3 else t for name, t in item.items()}

    def photograph(self, number: int) -> int:
        """The place in the pool of the photograph that a sample is cut from."""
        block, within = divmod(number, TOGETHER * self.per_visit)
        epoch, position = divmod(block * TOGETHER + within % TOGETHER, len(self.pool))
        if epoch not in self._orders:
            self._orders = {e: order for e, order in self._orders.items() if abs(e - epoch) <= TOGETHER}
            self._orders[epoch] = permutation(len(self.pool), self.seed, "order", epoch)
        return int(self._orders[epoch][position])

    def _cut(self, image_CHW: Tensor, top: int, left: int, flips: list[int], turned: bool) -> Tensor:
        patch = image_CHW[:, top : top + self.patch, left : left + self.patch].flip(flips)
        return patch.transpose(-2, -1) if turned else patch


def require_size(image_CHW: Tensor, patch: int, key: str) -> None:
    """Raises ImageError where no patch can be cut from a photograph."""
    height, width = image_CHW.shape[-2:]
    if min(height, width) < patch:
        raise ImageError(f"{key}: {width}x{height} px is smaller than the training patch of {patch} px")


def _bytes(item: Prepared) -> int:
    distinct = {t.data_ptr(): t.untyped_storage().nbytes() for t in item.values()}
    return sum(distinct.values())
