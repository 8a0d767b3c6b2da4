"""Turns errors in an experiment into sentences with file, line and dotted path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from texprior.addresses import redact
from texprior.errors import ConfigError, suggest_name


@dataclass(frozen=True)
class Complaint:
    """One error at a dotted path of an experiment.

    An empty path is the whole experiment.
    """

    path: str
    message: str
    also: tuple[str, ...] = ()
    """Paths of other settings without which there would be no error."""

    def below(self, prefix: str) -> Complaint:
        """Returns the same complaint with ``prefix`` in front of its path."""
        return replace(self, path=f"{prefix}.{self.path}" if self.path else prefix)


def complaints_from(error: ValidationError, model: type[BaseModel]) -> list[Complaint]:
    """Translates pydantic's errors into complaints, with "did you mean" for unknown keys."""
    return [_complaint(item, model) for item in error.errors(include_url=False)]


def raise_complaints(complaints: Sequence[Complaint], source: str, lines: Mapping[str, str]) -> None:
    """Raises ConfigError with one line for each complaint, if there are any."""
    if complaints:
        raise ConfigError(redact("\n".join(dict.fromkeys(_sentence(c, source, lines) for c in complaints))))


def _sentence(complaint: Complaint, source: str, lines: Mapping[str, str]) -> str:
    place = _place(complaint.path, lines) or source
    # Two settings that do not fit each other are named where the first stands. If an override set another one, below
    # the complaint's path or beside it, the override is what the user has just changed.
    inside = [where for path, where in lines.items() if complaint.path and path.startswith(f"{complaint.path}.")]
    beside = [_place(path, lines) for path in complaint.also]
    overrides = [where for where in dict.fromkeys([*inside, *beside]) if where.startswith(OVERRIDE)]
    if overrides and not place.startswith(OVERRIDE):
        place = f"{', '.join(overrides)} (with {place})"
    return f"{place}: {complaint.path}: {complaint.message}" if complaint.path else f"{place}: {complaint.message}"


OVERRIDE = "--set "
"""The beginning of the place of a setting that was overridden."""


def _place(path: str, lines: Mapping[str, str]) -> str:
    """Returns where a setting stands; "" if nowhere.

    A path that is missing from the file has no line: the nearest one above it is the best place to point at.
    """
    while path and path not in lines:
        path = path.rpartition(".")[0]
    return lines.get(path, "")


def _complaint(item: ErrorDetails, model: type[BaseModel]) -> Complaint:
    path = ".".join(_path_parts(item["loc"]))
    if item["type"] == "extra_forbidden":
        known = _fields_at(model, item["loc"][:-1])
        return Complaint(path, f"unknown key; {suggest_name(str(item['loc'][-1]), known)}" if known else "unknown key")
    if item["type"] == "missing":
        return Complaint(path, "this key is required")
    if item["type"] == "model_type" and (inner := _fields_at(model, item["loc"])):
        fitting = next((name for name in inner if _fits(_model_at(model, item["loc"]), name, item["input"])), None)
        example = f"; write {path}.{fitting}={_short(item['input'])}" if fitting else ""
        return Complaint(
            path, f"this is a section, with the settings {', '.join(inner)} (got {_short(item['input'])}){example}"
        )
    if item["type"] == "string_pattern_mismatch" and (form := _form_at(model, item["loc"])):
        return Complaint(path, f"write {form} (got {_short(item['input'])})")
    # pydantic adds this prefix to the text of a ValueError that a validator raises.
    message = item["msg"].removeprefix("Value error, ")
    return Complaint(path, f"{message[:1].lower()}{message[1:]} (got {_short(item['input'])})")


_USERS_NAMES = (("ablation", "arms"), ("ablation", "grid"), ("sweep", "space"))
"""Sections whose keys a user chooses: such a key may look like the name of a union's branch."""


def _path_parts(loc: Sequence[str | int]) -> Iterator[str]:
    """The parts of an error's location, without the branch of a union that pydantic adds (``Range``, ``list[any]``)."""
    for place, part in enumerate(loc):
        added = isinstance(part, str) and (part in ("Range", "Ref") or "[" in part)
        if not added or tuple(loc[:place]) in _USERS_NAMES:
            yield str(part)


def _fields_at(model: object, loc: Sequence[str | int]) -> list[str]:
    return list(getattr(_model_at(model, loc), "model_fields", {}))


def _model_at(model: object, loc: Sequence[str | int]) -> object:
    """Returns what a location of a model holds, such as another model; None if there is no such field."""
    for part in loc:
        info = getattr(model, "model_fields", {}).get(part)
        if info is None:
            return None
        model = info.annotation
    return model


def _form_at(model: object, loc: Sequence[str | int]) -> str:
    """Returns the description of a field, which says in words what its pattern demands; empty if there is none."""
    info = getattr(_model_at(model, loc[:-1]), "model_fields", {}).get(loc[-1])
    return info.description or "" if info else ""


def _fits(model: object, name: str, value: object) -> bool:
    """Whether a value is of the type of a model's field."""
    annotation: Any = getattr(model, "model_fields", {})[name].annotation
    try:
        TypeAdapter(annotation).validate_python(value)
    except ValidationError:
        return False
    return True


def _short(value: object) -> str:
    # 60 characters keep an error on about one line of a terminal.
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
