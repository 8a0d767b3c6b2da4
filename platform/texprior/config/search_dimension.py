"""Builds and checks one dimension of a search space.

A dimension comes from an option's type, bounds and ``Tune`` mark, or from ``sweep.space`` of an experiment.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from enum import Enum
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from texprior.config.schema_studies import Range
from texprior.config.validation import complaints_from
from texprior.plugin import Options, Tune

Dimension = Range | list[Any]
"""A numeric range, or a list of choices."""


def tuned_dimensions(options: type[Options], faults: dict[str, str] | None = None) -> dict[str, Dimension]:
    """Returns option -> dimension for the options marked ``Tune``, nested ones by dotted path.

    Raises ValueError, which names the option, if bounds are missing, if ``log`` starts at 0, or if the type has no
    finite set of values. If ``faults`` is given, the reason goes there instead, under the option.
    """
    found: dict[str, Dimension] = {}
    for name, info in options.model_fields.items():
        types, constraints = unwrap_annotation(info.annotation, info.metadata)
        tune = next((c for c in constraints if isinstance(c, Tune)), None)
        inner = nested_options(info)
        if tune is not None:
            try:
                found[name] = checked_dimension(_of_tune(tune, types, constraints), info)
            except ValueError as error:
                if faults is None:
                    raise ValueError(f"option '{name}' is marked Tune, but {first_reason(error)}") from None
                faults[name] = first_reason(error)
        elif inner is not None:
            below: dict[str, str] | None = None if faults is None else {}
            found.update({f"{name}.{path}": dimension for path, dimension in tuned_dimensions(inner, below).items()})
            if faults is not None:
                faults.update({f"{name}.{path}": reason for path, reason in (below or {}).items()})
    return found


def nested_options(info: FieldInfo) -> type[Options] | None:
    """Returns the options class inside a field, or None.

    Returns the class if the field always has one or has one by default; else None.
    """
    types = unwrap_annotation(info.annotation, info.metadata)[0]
    inner = [t for t in types if isinstance(t, type) and issubclass(t, Options)]
    if len(inner) != 1 or set(types) - {NoneType, *inner}:
        return None
    always = len(types) == 1 or isinstance(info.get_default(call_default_factory=True), inner[0])
    return inner[0] if always else None


def allowed_range(options: type[Options], name: str) -> Range | None:
    """Returns the whole range that a numeric option accepts; None if a bound is missing.

    The range is logarithmic if the option's ``Tune`` mark asks for that and the lower bound is above 0.
    """
    info = options.model_fields[name]
    constraints = unwrap_annotation(info.annotation, info.metadata)[1]
    low, high = _bound(constraints, annotated_types.Ge, "ge"), _bound(constraints, annotated_types.Le, "le")
    if low is None or high is None:
        return None
    log = any(isinstance(c, Tune) and c.log for c in constraints) and low > 0
    dimension = checked_dimension(Range(low=low, high=high, log=log), info)
    return dimension if isinstance(dimension, Range) else None


def checked_dimension(dimension: Dimension, info: FieldInfo) -> Dimension:
    """Returns the dimension in the form that this field accepts.

    Raises ValueError if the field would refuse a value.
    """
    # The field itself validates each value, so a sweep can never propose what an experiment file could not contain.
    types, constraints = unwrap_annotation(info.annotation, info.metadata)
    field: Any = Annotated[info.annotation, *info.metadata, "searched"]
    adapter: TypeAdapter[Any] = TypeAdapter(field)
    if isinstance(dimension, list):
        return distinct_choices(
            [adapter.dump_python(adapter.validate_python(choice), mode="json") for choice in dimension]
        )

    if not {int, float} & set(types):
        raise ValueError("a range needs a number; give a list of choices")
    integer = dimension.integer or float not in types
    multiple, step = _multiple_of(constraints), dimension.step
    if multiple and step is None and not dimension.log:
        step = multiple
    if multiple and (step is None or not _is_multiple(step, multiple)):
        raise ValueError(f"values here are multiples of {multiple}; leave out log, and set step to a multiple too")

    number = int if integer else float
    low, high = _number(dimension.low, number), _number(dimension.high, number)
    step = None if step is None else _number(step, number)
    for end in (low, high):
        adapter.validate_python(end)
    if step and not _is_multiple(high - low, step):
        raise ValueError(f"high {high} is not reached from low {low} in steps of {step}")
    return Range(low=low, high=high, log=dimension.log, step=step, integer=integer)


def distinct_choices(choices: list[Any]) -> list[Any]:
    """Returns the choices. Raises ValueError if there are none, or if one appears twice."""
    labels = [choice_label(choice) for choice in choices]
    if not choices or len(set(labels)) < len(labels):
        raise ValueError(f"give at least one choice, and each choice only once (got {choices})")
    return choices


def _of_tune(tune: Tune, types: Sequence[Any], constraints: Sequence[Any]) -> Dimension:
    """Returns the dimension of a ``Tune`` mark. Bounds that the mark leaves out come from the field."""
    if not {int, float} & set(types):
        return [value for plain in types for value in _values(plain)]
    if set(types) - {int, float, NoneType}:
        raise ValueError("its values are numbers and others; list those to search in sweep.space")
    low = tune.low if tune.low is not None else _bound(constraints, annotated_types.Ge, "ge")
    high = tune.high if tune.high is not None else _bound(constraints, annotated_types.Le, "le")
    # For whole numbers, an exclusive bound equals an inclusive one at the next number. Real numbers have no next one.
    if float not in types:
        above, below = _bound(constraints, annotated_types.Gt, "gt"), _bound(constraints, annotated_types.Lt, "lt")
        low = above + 1 if low is None and above is not None else low
        high = below - 1 if high is None and below is not None else high
    if low is None or high is None:
        raise ValueError("has no bounds; give them to Tune, or to its Field as ge and le")
    return Range(low=low, high=high, log=tune.log, step=tune.step)


def _values(plain: object) -> list[Any]:
    if plain is bool:
        return [False, True]
    if plain is NoneType:
        return [None]
    if get_origin(plain) is Literal:
        return list(get_args(plain))
    if isinstance(plain, type) and issubclass(plain, Enum):
        return [member.value for member in plain]
    raise ValueError(f"its type {plain} is not a number and has no finite set of values")


def _bound(constraints: Sequence[Any], kind: type[Any], attribute: str) -> Any:
    bounds = (getattr(c, attribute) for c in constraints if isinstance(c, kind | annotated_types.Interval))
    return next((b for b in bounds if b is not None), None)


def unwrap_annotation(annotation: object, metadata: Iterable[Any]) -> tuple[list[Any], list[Any]]:
    """Splits unions and ``Annotated`` into (the plain types, all constraints on them)."""
    constraints = [m for item in metadata for m in (item.metadata if isinstance(item, FieldInfo) else [item])]
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        return unwrap_annotation(inner, [*constraints, *more])
    if get_origin(annotation) in (Union, UnionType):
        parts = [unwrap_annotation(part, []) for part in get_args(annotation)]
        return [t for types, _ in parts for t in types], [*constraints, *(c for _, more in parts for c in more)]
    return [annotation], constraints


def _multiple_of(constraints: Sequence[Any]) -> int | float | None:
    found = next((c.multiple_of for c in constraints if isinstance(c, annotated_types.MultipleOf)), None)
    return found if isinstance(found, int | float) else None


def _number(value: float, number: type[int] | type[float]) -> int | float:
    if number is int and not float(value).is_integer():
        raise ValueError(f"values here are whole numbers, and {value} is not")
    return number(value)


def choice_label(choice: object) -> str | int | float | None:
    """Returns a choice as Optuna stores it.

    Plain values stay as they are; others (a list) become JSON text.
    """
    # Optuna warns about any other choice, because its storages only keep plain values.
    return choice if isinstance(choice, str | int | float | NoneType) else json.dumps(choice)


def contains_value(dimension: Dimension, value: object) -> bool:
    """Whether a search of the dimension can propose the value."""
    if isinstance(dimension, list):
        return value in dimension
    # bool is a subclass of int, and ``True`` is not a value of a numeric range.
    if isinstance(value, bool) or not isinstance(value, int | float) or not dimension.low <= value <= dimension.high:
        return False
    step = dimension.step or (1 if dimension.integer else None)
    return step is None or _is_multiple(value - dimension.low, step)


def count_values(dimension: Dimension) -> float:
    """Returns the number of values of a dimension; infinite if it is continuous."""
    if isinstance(dimension, list):
        return len(dimension)
    step = dimension.step or (1 if dimension.integer else None)
    return math.inf if step is None else round((dimension.high - dimension.low) / step) + 1


def _is_multiple(value: float, unit: float) -> bool:
    # Steps such as 0.1 have no exact binary form, so a quotient may miss its integer by rounding.
    return math.isclose(value / unit, round(value / unit), abs_tol=1e-9)


def first_reason(error: Exception) -> str:
    """Returns the first reason of an error as one sentence."""
    if not isinstance(error, ValidationError):
        return str(error)
    first = error.errors(include_url=False)[0]
    # An error of the whole range already names the values that were given, so ``(got ...)`` would repeat them.
    if first["type"] == "value_error" and not first["loc"]:
        return str(first["ctx"]["error"])
    return complaints_from(error, Range)[0].message
