"""Turns errors in an experiment into sentences with file, line and dotted path."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel, ValidationError

from texprior.errors import ConfigError


@dataclass(frozen=True)
class Complaint:
    """One error at a dotted path of an experiment. An empty path is the whole experiment."""

    path: str
    message: str

    def below(self, prefix: str) -> Complaint:
        """Returns the same complaint with ``prefix`` in front of its path."""
        return replace(self, path=f"{prefix}.{self.path}" if self.path else prefix)


def complaints_from(error: ValidationError, model: type[BaseModel]) -> list[Complaint]:
    """Translates pydantic's errors into complaints, with "did you mean" for unknown keys."""
    return [_complaint(item, model) for item in error.errors(include_url=False)]


def raise_complaints(complaints: Sequence[Complaint], source: str, lines: Mapping[str, str]) -> None:
    """Raises ConfigError with one line for each complaint, if there are any."""
    if complaints:
        raise ConfigError("\n".join(dict.fromkeys(_sentence(c, source, lines) for c in complaints)))


def suggest_name(name: str, known: Iterable[str]) -> str:
    """Returns a hint for an unknown name: the closest known one, else all of them."""
    names = list(known)
    close = difflib.get_close_matches(name, names, n=1)
    return f"did you mean '{close[0]}'?" if close else f"known are: {', '.join(names) or 'none'}"


def _sentence(complaint: Complaint, source: str, lines: Mapping[str, str]) -> str:
    path = complaint.path
    place = source
    # A path that is missing from the file has no line: the nearest one above it is the best place to point at.
    while path:
        if path in lines:
            place = lines[path]
            break
        path = path.rpartition(".")[0]
    return f"{place}: {complaint.path}: {complaint.message}" if complaint.path else f"{place}: {complaint.message}"


def _complaint(item: Any, model: type[BaseModel]) -> Complaint:
    path = ".".join(str(p) for p in item["loc"] if not _is_union_branch(p))
    if item["type"] == "extra_forbidden":
        known = _fields_at(model, item["loc"][:-1])
        close = difflib.get_close_matches(str(item["loc"][-1]), known, n=1)
        hint = f"; did you mean '{close[0]}'?" if close else f"; known are: {', '.join(known)}" if known else ""
        return Complaint(path, f"unknown key{hint}")
    if item["type"] == "missing":
        return Complaint(path, "this key is required")
    # pydantic adds this prefix to the text of a ValueError that a validator raises.
    message = item["msg"].removeprefix("Value error, ")
    return Complaint(path, f"{message[:1].lower()}{message[1:]} (got {_short(item['input'])})")


def _is_union_branch(part: Any) -> bool:
    # pydantic puts the name of a union's branch, such as ``Range`` or ``list[any]``, into the location of an error.
    return isinstance(part, str) and (part in ("Range", "Ref") or "[" in part)


def _fields_at(model: Any, loc: Sequence[Any]) -> list[str]:
    for part in loc:
        info = getattr(model, "model_fields", {}).get(part)
        if info is None:
            return []
        model = info.annotation
    return list(getattr(model, "model_fields", {}))


def _short(value: Any) -> str:
    # 60 characters keep an error on about one line of a terminal.
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
