"""How components are named: ``Ref``, the mark ``Kind``, and where a model holds them. Imports no plugin.

An experiment's fields and a component's own options name components in the same way, so that both are resolved,
built, recorded and merged by the same few functions.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, model_serializer, model_validator
from pydantic.fields import FieldInfo


class Ref(BaseModel):
    """A component as an experiment names it: ``cga``, or a one-key mapping ``{cga: {width: 32}}``.

    The name may be qualified by its distribution: ``acme-rain/rain``. It is written back in the
    mapping form, so that ``adapter.cga.width`` is the path of an option everywhere.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    options: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _from_name_or_mapping(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"name": value}
        if isinstance(value, dict) and isinstance(value.get("name"), str) and value.keys() <= {"name", "options"}:
            return value
        if isinstance(value, dict) and len(value) == 1:
            ((name, options),) = value.items()
            if isinstance(name, str) and isinstance(options, dict | None):
                return {"name": name, "options": options or {}}
        if isinstance(value, Ref):
            return value
        raise ValueError("expected a component's name, or one name with its options: {name: {option: value}}")

    @model_serializer
    def _as_mapping(self) -> dict[str, dict[str, Any]]:
        return {self.name: self.options}


@dataclass(frozen=True)
class Kind:
    """Marks a field as a component of a kind: ``Annotated[Ref, Kind("degradation")]``.

    The field is a ``Ref``, a ``list[Ref]``, or either of them or None. It stands in a section of the experiment or in
    the options of another component, whose implementation is then given what was built, under the field's name.
    """

    name: str


def kind_of(info: FieldInfo | None) -> str:
    """The kind that a field is marked with; empty where it is no component."""
    return next((m.name for m in info.metadata if isinstance(m, Kind)), "") if info else ""


def kinds_of(model: type[BaseModel]) -> dict[str, str]:
    """Field -> kind, of the fields that name components."""
    return {name: kind for name, info in model.model_fields.items() if (kind := kind_of(info))}


def refs_of(section: BaseModel, prefix: str = "") -> Iterator[tuple[str, str, Ref]]:
    """(dotted path, kind, reference) of every component that a model and the models inside it name."""
    kinds = kinds_of(type(section))
    for name in type(section).model_fields:
        value, path = getattr(section, name), f"{prefix}{name}"
        if name in kinds:
            named = enumerate(value) if isinstance(value, list) else [(None, value)] if value is not None else []
            yield from ((path if i is None else f"{path}.{i}", kinds[name], ref) for i, ref in named)
        elif isinstance(value, BaseModel):
            yield from refs_of(value, f"{path}.")


def check_references(options: type[BaseModel], kinds: Container[str], inside: str = "") -> str:
    """What is wrong with the components that a component's options name, in a sentence; empty where nothing is."""
    for name, info in options.model_fields.items():
        kind, option = kind_of(info), f"option '{inside}{name}'"
        inner = [t for t in _types(info.annotation) if isinstance(t, type) and issubclass(t, BaseModel)]
        if kind and kind not in kinds:
            return f"{option} is marked with the unknown kind '{kind}'"
        if kind and inside:
            return f"{option} names a component; that belongs into the component's own options, not into a part of them"
        if Ref in inner and not kind:
            return f"{option} names a component; mark it with its kind: Annotated[Ref, Kind('degradation')]"
        for model in inner:
            if model is not Ref and (fault := check_references(model, kinds, f"{inside}{name}.")):
                return fault
    return ""


def _types(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from _types(part)
