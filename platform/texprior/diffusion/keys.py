"""Makes random numbers as functions of keys, without any state between calls.

The same key gives the same numbers for any batch size, world size and worker count, and after any resume.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from math import prod
from typing import Protocol

import torch
from torch import Tensor

Key = int | str | tuple["Key", ...]
_BAND = 2**20
"""Numbers that ``Normals`` draws at once: 4 MB."""


def seed_of(*key: Key) -> int:
    """Returns a 63-bit seed for a key (integers, strings, tuples of them)."""
    # blake2b and not Python's hash, which differs between processes; 63 bits fit a signed int64
    return int.from_bytes(blake2b(repr(key).encode(), digest_size=8).digest(), "big") >> 1


def generator(*key: Key) -> torch.Generator:
    """Returns a CPU generator seeded by a key.

    Noise is drawn on the CPU so that every device gets the same numbers.
    """
    return torch.Generator().manual_seed(seed_of(*key))


class Draw(Protocol):
    """Draws numbers of a shape by a key, as ``normal`` does."""

    def __call__(self, shape: Sequence[int], *key: Key) -> Tensor:
        """Returns standard normal numbers, float32."""
        ...


def normal(shape: Sequence[int], *key: Key) -> Tensor:
    """Returns standard normal numbers of a shape, on the CPU, float32."""
    return torch.randn(tuple(shape), generator=generator(*key))


class Normals:
    """Standard normal numbers of a shape (..., H, W): those of ``normal``, drawn a part at a time.

    Memory grows with the parts, and by one state of the generator, 5 kB, for each band of rows that was drawn. A part
    is drawn from the last place before it whose generator's state is known.
    """

    def __init__(self, shape: Sequence[int], *key: Key) -> None:
        *leading, self.height, self.width = shape
        self.leading, self.rows = tuple(leading), prod(leading) * self.height
        # torch draws blocks of 16 numbers; a draw that begins within one would give others
        self.band = 16 * max(1, _BAND // (16 * self.width))
        self._states = [generator(*key).get_state()]

    def part(self, rows: slice, columns: slice) -> Tensor:
        """Returns ``normal(shape, *key)[..., rows, columns]``, on the CPU, float32."""
        top, bottom, _ = rows.indices(self.height)
        left, right, _ = columns.indices(self.width)
        planes = [self._plane(p * self.height + top, p * self.height + bottom) for p in range(prod(self.leading))]
        found = [torch.cat([band[:, left:right] for band in plane]) for plane in planes]
        return torch.stack(found).view(*self.leading, bottom - top, right - left)

    def _plane(self, first: int, last: int) -> Iterator[Tensor]:
        """Yields the numbers from a row to another, of all planes below each other."""
        for i in range(self._bands):
            start, end = self._band(i)
            if start >= last:
                return
            # a band that lies before the part is drawn only if nothing behind it was drawn yet
            if end > first or len(self._states) <= i + 1:
                drawn = self._draw(i)
                if end > first:
                    yield drawn[max(first - start, 0) : last - start]

    @property
    def _bands(self) -> int:
        return max(1, self.rows // self.band)

    def _band(self, i: int) -> tuple[int, int]:
        # the last band takes the remainder, as torch draws fewer than 16 numbers in another way
        return i * self.band, (i + 1) * self.band if i + 1 < self._bands else self.rows

    def _draw(self, i: int) -> Tensor:
        start, end = self._band(i)
        source = torch.Generator()
        source.set_state(self._states[i])
        drawn = torch.randn((end - start) * self.width, generator=source).view(end - start, self.width)
        if len(self._states) == i + 1:
            self._states.append(source.get_state())
        return drawn


def permutation(n: int, *key: Key) -> Tensor:
    """Returns a permutation of 0..n-1."""
    return torch.randperm(n, generator=generator(*key))


@contextmanager
def drawing_by_key(device: torch.device, *key: Key) -> Iterator[None]:
    """Makes draws from torch's global generators, such as dropout, functions of a key.

    The generators are those of the CPU and of the device. At the end of the block the CPU's and CUDA's continue where
    they were before it.
    """
    seed, on_gpu = seed_of(*key), device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if on_gpu else []):
        # not torch.manual_seed: it stores a stack trace at every call until CUDA is started, and seeds every GPU
        torch.default_generator.manual_seed(seed)
        if on_gpu:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        elif device.type == "mps":
            torch.mps.manual_seed(seed)
        yield
