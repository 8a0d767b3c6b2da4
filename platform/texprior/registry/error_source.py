"""Which component raised: an error's traceback held against the implementations in use. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from texprior.registry.registry import IN_USE, Entry, Registry


@dataclass(frozen=True)
class ErrorSource:
    """The component that an error came from, and where. ``raised`` is false where it gave what cannot be used."""

    entry: Entry
    place: str
    raised: bool = True

    def sentence(self, error: BaseException) -> str:
        """What a person is told instead of a traceback."""
        plugin, what = self.entry.plugin, f"{type(error).__name__}: {error}".rstrip(": ")
        who = f"{self.entry.component.kind} '{self.entry.qualified}' (version {plugin.version})"
        return f"{who} {'raised' if self.raised else 'gave what cannot be used:'} {what} (at {self.place})"


def find_source(error: BaseException) -> ErrorSource | None:
    """The component that an error came from; None where no component had a part in it.

    It is the innermost one in the traceback: a network that a sampler called, not the sampler.
    """
    frames = list(_innermost_first(error))
    for surely, raised in ((_is_own, True), (_is_beside, True), (_is_input, False)):
        for frame, line in frames:
            for entry, implementation in IN_USE.values():
                if surely(frame, entry, implementation):
                    return ErrorSource(entry, f"{Path(frame.f_code.co_filename).name}, line {line}", raised)
    return None


def describe_error(error: BaseException) -> str:
    """An error as a run's record keeps it: with the component that it came from."""
    found = find_source(error)
    return found.sentence(error) if found else f"{type(error).__name__}: {error}"


def _innermost_first(error: BaseException) -> Iterator[tuple[FrameType, int]]:
    steps = []
    traceback = error.__traceback__
    while traceback is not None:
        steps.append((traceback.tb_frame, traceback.tb_lineno))
        traceback = traceback.tb_next
    return reversed(steps)


def _is_own(frame: FrameType, _entry: Entry, implementation: Any) -> bool:
    """Code written in the implementation, a function that it returned, or a method that it inherits."""
    owner, name = getattr(implementation, "__qualname__", ""), frame.f_code.co_qualname
    if _module(frame) == getattr(implementation, "__module__", None) and (
        name == owner or name.startswith(f"{owner}.")
    ):
        return True
    return type(frame.f_locals.get("self")) is implementation and _module(frame) not in _LIBRARIES


def _is_beside(frame: FrameType, entry: Entry, implementation: Any) -> bool:
    """Other code of its file, or of its package."""
    module, name = _module(frame), entry.component.impl.partition(":")[0]
    package = name.rpartition(".")[0]
    inside = bool(package) and module.startswith(f"{package}.")
    return inside or module in (name, getattr(implementation, "__module__", None))


def _is_input(frame: FrameType, entry: Entry, implementation: Any) -> bool:
    """The platform's step that had called it, or was about to build it."""
    if frame.f_code is Registry._build.__code__:
        built: Entry | None = frame.f_locals.get("entry")
        return built is not None and built.qualified == entry.qualified and built.component.kind == entry.component.kind
    if not isinstance(implementation, type) or not _module(frame).startswith("texprior.flow."):
        return False
    return any(isinstance(value, implementation) for value in _values(frame.f_locals.values()))


def _values(values: Iterable[Any]) -> Iterator[Any]:
    for value in values:
        yield from value.values() if type(value) is dict else (value,)


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


_LIBRARIES = frozenset({"torch.nn.modules.module"})
"""Code that runs with a component as its ``self`` and is none of its own."""
