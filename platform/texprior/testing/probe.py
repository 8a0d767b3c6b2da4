"""A kind's probe: how a component of it is put to work, so that rules of every kind can be checked on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from texprior.plugin import Component

Inputs = dict[str, Tensor]
"""What a component is given, by name; where a kind works on batches, the first dimension of each is the batch."""


def _build(subject: Any, changes: Mapping[str, Any] | None = None) -> Any:
    return subject.build(changes)


def _nothing(_subject: Any) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Probe:
    """The functions that the kit works a component by."""

    inputs: Callable[[], Inputs]
    """Fresh inputs, the same at every call; a batch of 2 where the kind works on batches."""
    work: Callable[[Any, Inputs], tuple[Tensor, ...]]
    """The outputs of a component (as ``make`` gives it) for inputs."""
    make: Callable[..., Any] = _build
    """A component ready to work, from the subject and changed options: networks are perturbed, as if trained."""
    context: Callable[[Any], dict[str, Any]] = _nothing
    """What the registry hands to the implementation beside the options."""
    base: tuple[type, ...] = ()
    """What an instance derives from."""
    methods: Callable[[Component], tuple[str, ...]] = lambda _record: ("__call__",)
    """What can be called on an instance of a record."""
    attributes: tuple[str, ...] = ()
    """What an instance has beside."""
    dtypes: tuple[torch.dtype, ...] = (torch.float32,)
    """Types that go out as they came in."""
    around: Callable[[], AbstractContextManager[Any]] = nullcontext
    """Where an instance is built."""
    move: Callable[[Any, torch.device], Any] | None = None
    """Takes a component to a device; None where the kind works on the CPU alone."""


PROBES: dict[str, Probe] = {}
"""Kind -> probe."""


def having(*methods: str) -> Callable[[Component], tuple[str, ...]]:
    """The same methods for every record."""
    return lambda _record: methods


def unmoved(component: Any, _device: torch.device) -> Any:
    """A component that follows its inputs."""
    return component


def moved(module: Any, device: torch.device) -> Any:
    """A module on a device."""
    return module.to(device)


def cast(inputs: Inputs, dtype: torch.dtype) -> Inputs:
    """The inputs in another type."""
    return {name: tensor.to(dtype) for name, tensor in inputs.items()}


def one_of(inputs: Inputs, index: int) -> Inputs:
    """A batch of one: the picture at an index."""
    return {name: tensor[index : index + 1].clone() for name, tensor in inputs.items()}
