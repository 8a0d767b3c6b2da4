"""Remembers which component an instance is, so that an error about what it returned can name it. Imports no torch."""

from __future__ import annotations

import weakref
from typing import NamedTuple, TypeVar

Known = TypeVar("Known")


class Origin(NamedTuple):
    """The component that an instance was built from."""

    kind: str
    qualified: str
    """Its distribution and name, such as ``acme-rain/rain``."""
    version: str

    def __str__(self) -> str:
        return f"{self.kind} '{self.qualified}' (version {self.version})"


# By id and not by equality: two instances of different components may be equal, and some cannot be hashed.
_OF_INSTANCE: dict[int, Origin] = {}
_OF_CLASS: dict[type, Origin] = {}
_PASSED: dict[int, set[str]] = {}


def remember_origin(instance: object, origin: Origin) -> None:
    """Remembers the component of a new instance for as long as the instance lives."""
    _OF_CLASS[type(instance)] = origin
    if _forget_with(instance, _OF_INSTANCE):
        _OF_INSTANCE[id(instance)] = origin


def share_origin(wrapper: object, inner: object) -> None:
    """Gives an object that the platform wraps around an instance the instance's name."""
    if origin := _found(inner):
        remember_origin(wrapper, origin)


def name_of(instance: object) -> str:
    """Returns a component's kind, distribution, name and version.

    A copy of an instance has the name that its class was built under last. An instance that no registry built has the
    name of its class.
    """
    origin = _found(instance)
    return str(origin) if origin else f"component {type(instance).__module__}.{type(instance).__qualname__}"


def _found(instance: object) -> Origin | None:
    return _OF_INSTANCE.get(id(instance)) or _OF_CLASS.get(type(instance))


def is_first(instance: object, what: str) -> bool:
    """Whether this is the first question about an instance and a costly check of it.

    It is for checks that are worth their time once. For an instance that cannot be remembered every question is the
    first.
    """
    if id(instance) not in _PASSED:
        if not _forget_with(instance, _PASSED):
            return True
        _PASSED[id(instance)] = set()
    first = what not in _PASSED[id(instance)]
    _PASSED[id(instance)].add(what)
    return first


def _forget_with(instance: object, known: dict[int, Known]) -> bool:
    """Lets a mapping forget an instance when the instance ends, before its id is used again; False if it cannot."""
    try:
        weakref.finalize(instance, known.pop, id(instance), None).atexit = False
    except TypeError:
        return False
    return True
