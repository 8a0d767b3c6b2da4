"""Describes how the kit runs a component of a kind.

The rules that all kinds share use this description.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from texprior.plugin import Component

Instance = TypeVar("Instance")
Inputs = dict[str, Tensor]
"""The inputs of a component, by name. If the kind works on batches, the first dimension of each is the batch."""


class Buildable(Protocol):
    """The part of a ``Subject`` that a probe needs to build its component."""

    def build(self, changes: Mapping[str, Any] | None = None) -> Any:
        """Builds an instance with changed options."""
        ...


def _build(subject: Buildable, changes: Mapping[str, Any] | None = None) -> Any:
    return subject.build(changes)


def _nothing(_subject: Buildable) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Probe:
    """Functions and facts by which the kit builds and runs a component of one kind."""

    inputs: Callable[[], Inputs]
    """Returns new inputs, equal at every call; a batch of 2 if the kind works on batches."""
    work: Callable[[Any, Inputs], tuple[Tensor, ...]]
    """Returns the outputs of a component (built by ``make``) for inputs."""
    make: Callable[..., Any] = _build
    """Builds a component from the subject and changed options. Networks are perturbed, as if trained."""
    context: Callable[[Any], dict[str, Any]] = _nothing
    """Returns the arguments that the registry passes to the implementation in addition to the options."""
    base: tuple[type, ...] = ()
    """The base classes of an instance."""
    methods: Callable[[Component], tuple[str, ...]] = lambda _record: ("__call__",)
    """Returns the names of the methods that an instance of a record must have."""
    attributes: tuple[str, ...] = ()
    """Names of further attributes that an instance must have."""
    dtypes: tuple[torch.dtype, ...] = (torch.float32,)
    """The dtypes for which the outputs must have the dtype of the inputs."""
    around: Callable[[], AbstractContextManager[Any]] = nullcontext
    """A context manager that is active while an instance is built."""
    move: Callable[[Any, torch.device], Any] | None = None
    """Moves a component to a device; None if the kind works only on the CPU."""


PROBES: dict[str, Probe] = {}
"""The probe of each kind."""


def having(*methods: str) -> Callable[[Component], tuple[str, ...]]:
    """Returns a function that answers these method names for every record."""
    return lambda _record: methods


def unmoved(component: Instance, _device: torch.device) -> Instance:
    """Returns the component unchanged, for kinds that work on the device of their inputs."""
    return component


def moved(module: nn.Module, device: torch.device) -> nn.Module:
    """Returns the module on a device."""
    return module.to(device)


def cast(inputs: Inputs, dtype: torch.dtype) -> Inputs:
    """Returns the inputs in another dtype."""
    return {name: tensor.to(dtype) for name, tensor in inputs.items()}


def one_of(inputs: Inputs, index: int) -> Inputs:
    """Returns a batch of one: copies of the inputs at an index."""
    return {name: tensor[index : index + 1].clone() for name, tensor in inputs.items()}
