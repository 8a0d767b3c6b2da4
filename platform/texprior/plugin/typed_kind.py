"""A kind of component together with the type of its implementations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class ComponentKind(Generic[T]):
    """A kind whose implementations fulfil the contract T, so that ``build(DATASET, ...)`` is a ``PictureSet``.

    The kinds are in ``texprior.flow.kinds``, and ``EVENTS`` in ``texprior.track``.
    """

    name: str
