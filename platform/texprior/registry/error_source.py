"""Finds the component that raised an error, from the error's traceback. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from texprior.errors import ContractError, error_text
from texprior.registry.registry import IN_USE, Entry, Registry


@dataclass(frozen=True)
class ErrorSource:
    """The component that an error came from, and the place in the code.

    ``raised`` is False if the error was raised in the platform, because the component does not fit its contract. For
    example, it returned an unusable value.
    """

    entry: Entry
    place: str
    raised: bool = True

    def sentence(self, error: BaseException) -> str:
        """Returns the message that a user sees instead of a traceback."""
        plugin, what = self.entry.plugin, error_text(error)
        who = f"{self.entry.component.kind} '{self.entry.qualified}' (version {plugin.version})"
        return f"{who} {'raised' if self.raised else 'does not fit its contract:'} {what} (at {self.place})"


def find_source(error: BaseException) -> ErrorSource | None:
    """Returns the component that an error came from; None if no component took part.

    This is the innermost component in the traceback: a network that a sampler called, not the sampler.
    """
    # from the surest evidence to the weakest: the component's own code, code next to it, the platform step that uses it
    frames = list(_innermost_first(error))
    for surely, raised in ((_is_own, True), (_is_beside, True), (_is_input, False)):
        for frame, line in frames:
            for entry, implementation in IN_USE.values():
                if surely(frame, entry, implementation):
                    return ErrorSource(entry, f"{Path(frame.f_code.co_filename).name}, line {line}", raised)
    return None


def describe_error(error: BaseException) -> str:
    """Returns an error as text for a run's record.

    The text names the component that the error came from, if there is one.
    """
    # such an error names its component itself, which may be another one than its traceback leads through
    if isinstance(error, ContractError):
        return str(error)
    found = find_source(error)
    return found.sentence(error) if found else error_text(error)


def _innermost_first(error: BaseException) -> Iterator[tuple[FrameType, int]]:
    steps = []
    traceback = error.__traceback__
    while traceback is not None:
        steps.append((traceback.tb_frame, traceback.tb_lineno))
        traceback = traceback.tb_next
    return reversed(steps)


def _is_own(frame: FrameType, _entry: Entry, implementation: object) -> bool:
    """Returns whether a frame is code of the implementation itself.

    This includes functions that it returned and methods that it inherits.
    """
    owner, name = getattr(implementation, "__qualname__", ""), frame.f_code.co_qualname
    if _module(frame) == getattr(implementation, "__module__", None) and (
        name == owner or name.startswith(f"{owner}.")
    ):
        return True
    return type(frame.f_locals.get("self")) is implementation and _module(frame) not in _LIBRARIES


def _is_beside(frame: FrameType, entry: Entry, implementation: object) -> bool:
    """Returns whether a frame is other code in the implementation's file or package."""
    module, name = _module(frame), entry.component.impl.partition(":")[0]
    # the module of an instance, such as a click.Command, is that of its class: a library
    own = getattr(implementation, "__module__", None) if hasattr(implementation, "__qualname__") else None
    packages = [package for package in (name, name.rpartition(".")[0]) if package]
    return module in (name, own) or any(module.startswith(f"{package}.") for package in packages)


def _is_input(frame: FrameType, entry: Entry, implementation: object) -> bool:
    """Returns whether a frame is the platform's step that called the component, or was building it."""
    # if the call of a constructor fails, such as for a wrong argument, the only frame is the registry's private _build
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
"""Modules of libraries whose code runs with a component as its ``self``, but is not the component's code."""
