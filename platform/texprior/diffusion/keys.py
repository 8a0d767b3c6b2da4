"""Makes random numbers as functions of keys, without any state between calls.

The same key gives the same numbers for any batch size, world size and worker count, and after any resume.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
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
