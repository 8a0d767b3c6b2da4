"""Marks settings that earlier versions did not have.

The mark makes work that these versions stored still be found. A setting that is added changes what a new experiment
does, but not what a stored one did. Its field is marked with the value that earlier versions worked with:
``Annotated[int | None, Before(None)] = 8``. A stored experiment without the field is then read with that value, and a
digest leaves the field out at that value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import (
    BaseModel,
    SerializationInfo,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    model_serializer,
    model_validator,
)

T = TypeVar("T")
STORED: Mapping[str, Any] = {"stored": True}
"""The context in which a stored experiment is validated: a field that it lacks gets its ``Before`` value."""
DIGEST: Mapping[str, Any] = {"digest": True}
"""The context in which a digest is made: a field at its ``Before`` value is left out."""


@dataclass(frozen=True)
class Before:
    """Marks a field that earlier versions did not have.

    It holds the value that they worked with.
    """

    value: object


@dataclass(frozen=True)
class WasName:
    """Marks a field that names a component, and that earlier versions held as a plain name.

    A digest has the name alone if the component has no options.
    """


class WithAddedFields(BaseModel):
    """A model whose fields may be marked with ``Before`` or ``WasName``."""

    @model_validator(mode="before")
    @classmethod
    def _fill_stored(cls, data: object, info: ValidationInfo) -> object:
        if isinstance(data, dict) and is_set(info.context, STORED):
            return {**before_values(cls), **data}
        return data

    @model_serializer(mode="wrap")
    def _leave_out_of_digest(self, handler: SerializerFunctionWrapHandler, info: SerializationInfo) -> dict[str, Any]:
        dumped: dict[str, Any] = handler(self)
        if not is_set(info.context, DIGEST):
            return dumped
        before, named = before_values(type(self)), _marked(type(self), WasName)
        dumped |= {name: _plain_name(dumped[name]) for name in named if name in dumped}
        return {name: value for name, value in dumped.items() if name not in before or value != before[name]}


def before_values(model: type[BaseModel]) -> dict[str, object]:
    """Returns field -> ``Before`` value of the marked fields of a model."""
    return {name: found.value for name, found in _marked(model, Before).items()}


def _marked(model: type[BaseModel], mark: type[T]) -> dict[str, T]:
    """Returns field -> mark of the fields that have a mark of this type."""
    marks = {name: [m for m in info.metadata if isinstance(m, mark)] for name, info in model.model_fields.items()}
    return {name: found[0] for name, found in marks.items() if found}


def _plain_name(component: Any) -> Any:
    """Returns a component's name instead of ``{name: {}}``; with options it stays a mapping."""
    return next(iter(component)) if isinstance(component, dict) and list(component.values()) == [{}] else component


def all_before_values(model: type[BaseModel]) -> dict[str, Any]:
    """Returns the ``Before`` values of a model as nested mappings.

    Includes the models that its fields hold.
    """
    found = before_values(model)
    for name, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, WithAddedFields):
            below = all_before_values(info.annotation)
            found |= {name: below} if below else {}
    return found


def is_set(context: Any, wanted: Mapping[str, Any]) -> bool:
    """Whether a pydantic context has the wanted entry."""
    return isinstance(context, Mapping) and all(context.get(key) == value for key, value in wanted.items())
