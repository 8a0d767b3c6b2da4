"""Keeps the tensors of photographs side by side in large pieces of memory.

A training allocates and frees the tensors of its steps all the time. If a photograph that stays is allocated among
them, the allocator can use neither the hole before it nor the one after it for the next step, and takes new memory
from the system. How much is lost depends on their sizes; it was as much as the photographs themselves.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from texprior.store import as_it_lay, in_memory_order

_MOST_BYTES = 64 * 2**20
"""Size of a piece: above what allocators serve from the memory of small tensors, which is at most 32 MiB in glibc."""
_OF_ROOM = 16
"""A small pool has at least so many pieces, because the last one is not full."""
_ALIGNED = 64
"""Bytes at whose multiples a tensor begins, as torch's own do: sums would be rounded in another order elsewhere."""


class Slabs:
    """Pieces of memory for up to ``room`` bytes. A piece is freed when nothing in it is used any more."""

    def __init__(self, room: int) -> None:
        self._bytes = min(_MOST_BYTES, room // _OF_ROOM)
        self._slab, self._used = torch.empty(0, dtype=torch.uint8), 0

    def keep(self, item: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Returns copies of tensors on the CPU, laid out in memory as they were; shared ones stay shared."""
        placed: dict[tuple[int, torch.Size, tuple[int, ...], torch.dtype], Tensor] = {}
        found: dict[str, Tensor] = {}
        for name, tensor in item.items():
            same = tensor.data_ptr(), tensor.shape, tensor.stride(), tensor.dtype
            if same not in placed:
                placed[same] = self._placed(tensor)
            found[name] = placed[same]
        return found

    def _placed(self, tensor: Tensor) -> Tensor:
        lying, order = in_memory_order(tensor)
        if self._used + lying.nbytes > len(self._slab):
            self._slab, self._used = torch.empty(max(self._bytes, lying.nbytes), dtype=torch.uint8), 0
        piece = self._slab[self._used : self._used + lying.nbytes].view(lying.dtype).view(lying.shape)
        self._used += -(-lying.nbytes // _ALIGNED) * _ALIGNED
        return as_it_lay(piece.copy_(lying), order)


def bytes_of(item: Mapping[str, Tensor]) -> int:
    """Returns the memory that tensors take; several names may share one tensor, which takes it once."""
    return sum({t.data_ptr(): t.nbytes for t in item.values()}.values())
