"""Records which settings an experiment states itself; all others have their defaults."""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass

from texprior.config.dotted_paths import leaf_paths


@dataclass(frozen=True)
class Said(Container[str]):
    """The dotted paths at which an experiment's file or an override gives a value.

    ``paths`` is None if the experiment states everything, as a stored one does.
    """

    paths: frozenset[str] | None = None

    def __contains__(self, path: object) -> bool:
        """Whether the experiment gives a value at the path, or at a path below it."""
        return self.paths is None or any(said == path or said.startswith(f"{path}.") for said in self.paths)

    def with_(self, paths: Iterable[str]) -> Said:
        """Returns what is stated if values at these paths are stated too."""
        return self if self.paths is None else Said(self.paths | frozenset(paths))

    @classmethod
    def of(cls, data: object) -> Said:
        """Returns what a mapping states, as it was written: without defaults."""
        return cls(frozenset(leaf_paths(data)))


ALL_SAID = Said()
"""What a stored experiment states: everything."""
