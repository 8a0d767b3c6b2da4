"""Describes a component: its options as rows, and its YAML in an experiment."""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from types import NoneType
from typing import Any, Literal

import annotated_types
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from texprior.cli.component_warnings import warnings_of
from texprior.config import Experiment, Range
from texprior.config.dotted_paths import merge, nest_value
from texprior.config.search_dimension import Dimension, nested_options, tuned_dimensions, unwrap_annotation
from texprior.plugin import Component, Options, Ref
from texprior.plugin.references import kind_of
from texprior.registry import Entry, Registry
from texprior.registry.registry import IN_USE


@dataclass(frozen=True)
class Option:
    """An option in readable form.

    ``default`` has a JSON type, and is None if the option is ``required``.
    """

    name: str
    type: str
    range: str
    default: Any
    required: bool
    search: str
    description: str


def option_rows(model: type[Options]) -> list[Option]:
    """Returns every option, nested ones by dotted path.

    If a ``Tune`` mark is wrong, ``search`` has the reason in place of the search space.
    """
    faults: dict[str, str] = {}
    search = {path: _search(dimension) for path, dimension in tuned_dimensions(model, faults).items()}
    return list(_options(model, search | {path: f"wrong: {reason}" for path, reason in faults.items()}))


TYPED: Mapping[str, str] = {
    "launcher": "texprior sweep EXPERIMENT --launcher {named}",
    "command": "texprior {named} --help",
}
"""Kind that no experiment names -> what to type on the command line."""


def use_of(entry: Entry) -> tuple[str, str]:
    """Returns where a component is named, in an experiment or on the command line, and what to write there."""
    kind, options = entry.component.kind, option_rows(entry.component.options)
    if kind not in TYPED:
        return "in an experiment", experiment_snippet(entry.component)
    values = {option.name: option.default for option in options}
    named = f"'{yaml_text({entry.component.name: values})}'" if values else entry.component.name
    return "on the command line", f"{TYPED[kind].format(named=named)}\n"


def experiment_snippet(component: Component) -> str:
    """Returns the YAML that names the component in an experiment.

    Each option has its default, or REQUIRED if there is none.
    """
    import yaml

    values: dict[str, Any] = {}
    for option in option_rows(component.options):
        values = merge(values, nest_value(option.name, "REQUIRED" if option.required else option.default), ())
    # Some kinds, such as datasets, have several places in an experiment: the first is enough as an example.
    path, in_list = next(_places(Experiment, component.kind))
    named: Any = {component.name: values} if values else component.name
    text: str = yaml.safe_dump(nest_value(path, [named] if in_list else named), sort_keys=False, allow_unicode=True)
    return text


def _places(section: type[BaseModel], kind: str, prefix: str = "") -> Iterator[tuple[str, bool]]:
    """Yields the paths of an experiment that name a component of a kind, also those that are empty by default.

    Each comes with whether it is a list.
    """
    for name, info in section.model_fields.items():
        types, _ = unwrap_annotation(info.annotation, info.metadata)
        if kind_of(info) == kind:
            yield f"{prefix}{name}", any(typing.get_origin(t) is list for t in types)
        for inner in types:
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                yield from _places(inner, kind, f"{prefix}{name}.")


def declared_text(values: Mapping[str, Any]) -> list[str]:
    """Returns what ``declared`` returns as texts such as ``better: higher``; what is empty is left out."""
    shown = {name: value for name, value in values.items() if value or isinstance(value, bool)}
    return [f"{name}: {_value_text(value)}" for name, value in shown.items()]


def _value_text(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, list | tuple) else str(value)


def yaml_text(value: object) -> str:
    """Returns a value in YAML, on one line."""
    import yaml

    text: str = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000)
    return text.removesuffix("\n").removesuffix("\n...")


def component_json(entry: Entry) -> dict[str, Any]:
    """Returns everything known about a component as a dictionary of JSON types."""
    component = entry.component
    return {
        "kind": component.kind,
        "name": component.name,
        "qualified": entry.qualified,
        "distribution": entry.plugin.distribution,
        "version": entry.plugin.version,
        "status": entry.plugin.status,
        "reason": entry.plugin.reason,
        "summary": component.summary,
        "options": [vars(option) for option in option_rows(component.options)],
        "declares": declared(component),
        "tags": component.tags,
        "warnings": warnings_of([entry]),
        "citation": component.citation,
    }


def declared(component: Component) -> dict[str, Any]:
    """Returns what a record declares beside its text, as JSON types: the fields of its kind, its API, what it needs."""
    own = [f.name for f in fields(component) if f.name not in Component.__dataclass_fields__]
    needs = {"requires": list(component.requires), "weights": [weights.name for weights in component.weights]}
    return {**{name: getattr(component, name) for name in own}, **needs, "api": component.api}


def metric_key(registry: Registry, entry: Entry) -> tuple[str, str]:
    """Returns the key of a metric with its default options; if it is not known here, an empty text and why."""
    required = [option.name for option in option_rows(entry.component.options) if option.required]
    if required:
        return "", f"it depends on the option {required[0]}"
    try:
        return str(registry.build("metric", Ref(name=entry.qualified)).key), ""
    # a plugin may raise anything
    except Exception as error:
        # without its parameters or packages it cannot be built here, but its class may have one key for all options
        known = getattr(IN_USE.get(f"metric {entry.qualified}", (entry, None))[1], "key", None)
        return (known, "") if isinstance(known, str) else ("", (str(error) or type(error).__name__).splitlines()[0])


def _options(model: type[Options], search: dict[str, str], prefix: str = "") -> Iterator[Option]:
    for name, info in model.model_fields.items():
        types, constraints = unwrap_annotation(info.annotation, info.metadata)
        path = f"{prefix}{name}"
        inner = nested_options(info)
        if inner is not None:
            yield from _options(inner, search, f"{path}.")
            continue
        default = info.get_default(call_default_factory=True)
        missing = default is PydanticUndefined
        yield Option(
            name=path,
            type=" or ".join(type_text(t, kind_of(info)) for t in types),
            range=range_text(constraints),
            default=None if missing else _plain(default),
            required=missing,
            search=search.get(path, ""),
            description=info.description or "",
        )


def type_text(plain: object, kind: str = "") -> str:
    """Returns a type in words. ``kind`` is that of the components that it holds; empty if it holds none."""
    origin, inner = typing.get_origin(plain), typing.get_args(plain)
    if plain is NoneType:
        return "null"
    if kind:
        return f"list of {kind.removesuffix('s')}s" if origin is list else kind
    if origin is list:
        return _list_text(inner[0])
    if origin is Literal:
        return " | ".join(map(str, inner))
    return "mapping" if origin is dict else _NAMES.get(plain, str(getattr(plain, "__name__", plain)))


_NAMES: dict[object, str] = {Ref: "name, or name with arguments", Any: "value"}


def _list_text(item: object) -> str:
    types, constraints = unwrap_annotation(item, [])
    bounds = range_text(constraints)
    return f"list of {' or '.join(map(type_text, types))}{f' (each {bounds})' if bounds else ''}"


def range_text(constraints: list[Any]) -> str:
    """Returns the bounds among the constraints, such as ``≥ 1, ≤ 64``; empty if there are none."""
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<", "multiple_of": "a multiple of"}
    signs |= {"min_length": "length ≥", "max_length": "length ≤"}
    # Only these are readable as a range. Other constraints, such as ``Tune``, are shown elsewhere or not at all.
    known = (
        *(annotated_types.Ge, annotated_types.Gt, annotated_types.Le, annotated_types.Lt, annotated_types.Interval),
        *(annotated_types.MultipleOf, annotated_types.MinLen, annotated_types.MaxLen),
    )
    found = []
    for constraint in constraints:
        if isinstance(constraint, known):
            values = {name: getattr(constraint, name, None) for name in signs}
            found += [f"{signs[name]} {value}" for name, value in values.items() if value is not None]
    return ", ".join(found)


def _search(dimension: Dimension) -> str:
    if not isinstance(dimension, Range):
        return ", ".join(map(str, dimension))
    step = f", step {dimension.step}" if dimension.step else ""
    return f"{dimension.low} to {dimension.high}{', log' if dimension.log else ''}{step}"


def _plain(value: object) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(type(value)).dump_python(value, mode="json")
