"""Finds work that is repeated at every step.

This means operations whose inputs are the same at every step, but differ between pictures.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

COSTLY = ("conv", "mm", "matmul", "einsum", "linear", "attention", "norm", "interpolate", "pool", "fft", "lstm", "gru")
"""Parts of the names of PyTorch functions that cost more than one pass over their input."""


class _Recorder(TorchFunctionMode):
    """Counts calls of costly functions by their name and the content of their tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: Counter[tuple[str, str]] = Counter()

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        name = str(getattr(func, "__name__", func)).strip("_")
        if any(part in name for part in COSTLY):
            self.seen[name, _content(_tensors((args, kwargs or {})))] += 1
        return func(*args, **(kwargs or {}))


def repeated_work(
    step: Callable[[], Any], other_step: Callable[[], Any], other_picture: Callable[[], Any]
) -> list[str]:
    """Returns the costly calls that are equal in two steps of one picture.

    Calls that are equal for another picture too are left out. Each argument is a network call. It runs once before
    it is recorded, so that results that the first call caches do not count as repeated.
    """
    first, second, third = (_recorded(call) for call in (step, other_step, other_picture))
    # what a third picture shares depends on the weights alone, which is allowed
    names = Counter(name for (name, _), count in ((first & second) - third).items() for _ in range(count))
    return [f"{count} x {name}" for name, count in sorted(names.items())]


def _recorded(call: Callable[[], Any]) -> Counter[tuple[str, str]]:
    call()
    recorder = _Recorder()
    with recorder:
        call()
    seen: Counter[tuple[str, str]] = recorder.seen
    return seen


def _tensors(value: object) -> Iterable[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)


def _content(tensors: Iterable[Tensor]) -> str:
    # compare contents and not identities: equal work on a new tensor is repeated too
    digest = hashlib.blake2b(digest_size=16)
    for tensor in tensors:
        digest.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
