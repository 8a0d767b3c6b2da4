"""Random numbers as functions of keys, never of state: the same key gives the same numbers at any
batch size, world size, worker count and after any resume."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import torch
from torch import Tensor

Key = int | str | tuple["Key", ...]


def seed_of(*key: Key) -> int:
    """A 63-bit seed of a key (integers, strings, tuples of them)."""
    return int.from_bytes(blake2b(repr(key).encode(), digest_size=8).digest(), "big") >> 1


def generator(*key: Key) -> torch.Generator:
    """A CPU generator seeded by a key; noise is drawn on the CPU so that every device sees the same."""
    return torch.Generator().manual_seed(seed_of(*key))


def normal(shape: Sequence[int], *key: Key) -> Tensor:
    """Standard normal numbers of a shape, on the CPU, float32."""
    return torch.randn(tuple(shape), generator=generator(*key))


def permutation(n: int, *key: Key) -> Tensor:
    """A permutation of 0..n-1."""
    return torch.randperm(n, generator=generator(*key))
