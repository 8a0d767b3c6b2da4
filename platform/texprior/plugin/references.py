"""Defines how components are named, and finds the names in a model.

``Ref`` is a name with options, and ``Kind`` marks a field as a name. Imports no plugin.

An experiment's fields and a component's own options name components in the same way, so that the same few functions
resolve, build, record and merge both.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, PrivateAttr, SerializationInfo, model_serializer, model_validator
from pydantic.fields import FieldInfo

from texprior.plugin.added import DIGEST, is_set


class Ref(BaseModel):
    """A reference to a component.

    It is the component's name, ``cga``, or a mapping with one key, ``{cga: {width: 32}}``. The name may include the
    component's distribution: ``acme-rain/rain``. A reference is always written back in the mapping form, so that
    ``adapter.cga.width`` is the path of an option everywhere.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    options: dict[str, Any] = {}
    _of_digest: dict[str, Any] | None = PrivateAttr(default=None)
    """The options as a digest has them, if it leaves some out (see ``added``)."""

    @classmethod
    def resolved(cls, name: str, options: BaseModel) -> Ref:
        """Returns a reference with all options of the component written out."""
        ref = cls(name=name, options=options.model_dump(mode="json"))
        of_digest = options.model_dump(mode="json", context=dict(DIGEST))
        ref._of_digest = of_digest if of_digest != ref.options else None
        return ref

    def with_options(self, options: Mapping[str, Any]) -> Ref:
        """Returns the reference with other options; what a digest leaves out stays left out."""
        ref = Ref(name=self.name, options=dict(options))
        if self._of_digest is not None:
            same = {name for name, value in options.items() if self.options.get(name, self) == value}
            changed = {name: value for name, value in options.items() if name not in same}
            ref._of_digest = {**{n: v for n, v in self._of_digest.items() if n in same}, **changed}
        return ref

    @model_validator(mode="before")
    @classmethod
    def _from_name_or_mapping(cls, value: object) -> object:
        if isinstance(value, str):
            return {"name": value}
        # Ref(name=..., options=...) in Python arrives here too, as a mapping of Ref's own fields
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
    def _as_mapping(self, info: SerializationInfo) -> dict[str, dict[str, Any]]:
        of_digest = self._of_digest if is_set(info.context, DIGEST) else None
        return {self.name: self.options if of_digest is None else of_digest}


@dataclass(frozen=True)
class Kind:
    """Marks a field as a component of a kind: ``Annotated[Ref, Kind("degradation")]``.

    The field's type is ``Ref`` or ``list[Ref]``, and may allow None. The field is in a section of the experiment, or in
    the options of another component. In the second case, the other component's implementation gets the built component
    as an argument with the field's name.
    """

    name: str


def kind_of(info: FieldInfo | None) -> str:
    """Returns the kind that marks a field; empty if the field names no component."""
    return next((m.name for m in info.metadata if isinstance(m, Kind)), "") if info else ""


def kinds_of(model: type[BaseModel]) -> dict[str, str]:
    """Returns field -> kind for the fields that name components."""
    return {name: kind for name, info in model.model_fields.items() if (kind := kind_of(info))}


def refs_of(section: BaseModel, prefix: str = "") -> Iterator[tuple[str, str, Ref]]:
    """Yields every component that a model and its nested models name.

    Each item is (dotted path, kind, reference).
    """
    kinds = kinds_of(type(section))
    for name in type(section).model_fields:
        value, path = getattr(section, name), f"{prefix}{name}"
        if name in kinds:
            named = enumerate(value) if isinstance(value, list) else [(None, value)] if value is not None else []
            yield from ((path if i is None else f"{path}.{i}", kinds[name], ref) for i, ref in named)
        elif isinstance(value, BaseModel):
            yield from refs_of(value, f"{path}.")


def check_references(options: type[BaseModel], kinds: Container[str], inside: str = "") -> str:
    """Checks the component fields of a component's options.

    Returns what is wrong; empty if nothing is.
    """
    for name, info in options.model_fields.items():
        kind, option = kind_of(info), f"option '{inside}{name}'"
        inner = [t for t in _types(info.annotation) if isinstance(t, type) and issubclass(t, BaseModel)]
        if kind and kind not in kinds:
            return f"{option} is marked with the unknown kind '{kind}'"
        if kind and inside:
            return f"{option} names a component inside a nested model; declare it in the component's own options"
        if Ref in inner and not kind:
            return f"{option} names a component; mark it with its kind: Annotated[Ref, Kind('degradation')]"
        for model in inner:
            if model is not Ref and (fault := check_references(model, kinds, f"{inside}{name}.")):
                return fault
    return ""


def _types(annotation: object) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from _types(part)
