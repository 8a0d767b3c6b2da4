"""Makes random numbers as functions of keys, without any state between calls.

The same key gives the same numbers for any batch size, world size and worker count, and after any resume.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b

import torch
from torch import Tensor

Key = int | str | tuple["Key", ...]


def seed_of(*key: Key) -> int:
    """Returns a 63-bit seed for a key (integers, strings, tuples of them)."""
    # blake2b and not Python's hash, which differs between processes; 63 bits fit a signed int64
    return int.from_bytes(blake2b(repr(key).encode(), digest_size=8).digest(), "big") >> 1


def generator(*key: Key) -> torch.Generator:
    """Returns a CPU generator seeded by a key.

    Noise is drawn on the CPU so that every device gets the same numbers.
    """
    return torch.Generator().manual_seed(seed_of(*key))


def normal(shape: Sequence[int], *key: Key) -> Tensor:
    """Returns standard normal numbers of a shape, on the CPU, float32."""
    return torch.randn(tuple(shape), generator=generator(*key))


def permutation(n: int, *key: Key) -> Tensor:
    """Returns a permutation of 0..n-1."""
    return torch.randperm(n, generator=generator(*key))
