"""The component under test: how it is built, what it lacks on this machine, and what was found so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any

from pydantic import ValidationError

from texprior import weights
from texprior.config.dotted_paths import merge, nest_value
from texprior.config.validation import complaints_from, raise_complaints
from texprior.errors import ConfigError
from texprior.plugin import Component, Options, Ref
from texprior.plugin.references import kind_of
from texprior.registry import Entry, Registry, load_implementation
from texprior.testing.outcomes import NotRun
from texprior.testing.probe import PROBES, Probe


@dataclass
class Subject:
    """A component of a registry with the options that its author handed in; the others are the defaults."""

    registry: Registry
    entry: Entry
    options: Mapping[str, Any] = field(default_factory=dict)
    denoiser: Ref | None = None
    """The denoiser that an adapter steers; None tries those that are installed."""
    notes: list[str] = field(default_factory=list)
    """What a reader of the result should know, such as the denoiser that was used."""
    memory: dict[str, Any] = field(default_factory=dict)
    """What checks share because it is slow."""

    @property
    def record(self) -> Component:
        """What the plugin declares."""
        return self.entry.component

    @property
    def model(self) -> type[Options]:
        """The class of its options."""
        return self.record.options

    @property
    def probe(self) -> Probe:
        """How its kind is put to work."""
        return PROBES[self.record.kind]

    def given(self, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The options as handed in, with changes by dotted path. A required one that lacks is its first
        ``Field(examples=...)``; one that names components, an installed one of that kind.

        Raises NotRun where one is still missing.
        """
        values: dict[str, Any] = dict(self.options)
        for path, value in (changes or {}).items():
            values = merge(values, nest_value(path, value), ())
        for name, info in self.model.model_fields.items():
            if name in values or not info.is_required():
                continue
            if info.examples:
                values[name] = info.examples[0]
            elif kind_of(info):
                values[name] = self._components(name, kind_of(info), isinstance(info.annotation, type(list[Ref])))
            else:
                raise NotRun(f"option '{name}' has no default: hand in options, or give its Field examples")
        return values

    def _components(self, option: str, kind: str, several: bool) -> Any:
        """The first installed component of a kind that needs no options and nothing that is missing."""
        for entry in self.registry.entries(kind):
            record = entry.component
            whole = not any(info.is_required() for info in record.options.model_fields.values())
            if whole and not record.requires and not record.weights and entry.qualified != self.entry.qualified:
                self.note(f"option '{option}' is {entry.qualified}")
                return [entry.qualified] if several else entry.qualified
        raise NotRun(f"option '{option}' names a {kind}, and none is installed that needs no options", lacking=True)

    def validate(self) -> None:
        """Raises ConfigError where what was handed in cannot be: an option, or the denoiser."""
        if self.denoiser:
            self.registry.find("denoiser", self.denoiser.name)
        try:
            self.model.model_validate(dict(self.options))
        except ValidationError as error:
            found = [c for c in complaints_from(error, self.model) if c.path.partition(".")[0] in self.options]
            raise_complaints([c.below(f"{self.record.kind}.{self.record.name}") for c in found], "options", {})

    def accepts(self, changes: Mapping[str, Any]) -> bool:
        """Whether options with these changes are valid together."""
        try:
            self.model.model_validate(self.given(changes))
        except ValidationError:
            return False
        return True

    def missing(self) -> list[str]:
        """What the record declares to need and this machine has not: packages, and third-party parameters."""
        packages = [f"package {name}" for name in self.record.requires if find_spec(name) is None]
        parameters = [f"parameters {w.name}" for w in self.record.weights if weights.locate(w) is None]
        return packages + parameters

    def ref(self, changes: Mapping[str, Any] | None = None) -> Ref:
        """The component as an experiment names it."""
        return Ref(name=self.entry.qualified, options=self.given(changes))

    def construct(
        self, changes: Mapping[str, Any] | None = None, seed: int = 0, context: Mapping[str, Any] | None = None
    ) -> Any:
        """A new instance, built by the registry as for a run; raises whatever building it raises."""
        packages = [name for name in self.record.requires if find_spec(name) is None]
        if packages:
            raise NotRun(f"it requires {', '.join(packages)}, which is not installed here", lacking=True)
        kind, ref = self.record.kind, self.ref(changes)
        given = PROBES[kind].context(self) if context is None else context
        with PROBES[kind].around():
            return self.registry.build(kind, ref, seed=seed, **given)

    def build(
        self, changes: Mapping[str, Any] | None = None, seed: int = 0, context: Mapping[str, Any] | None = None
    ) -> Any:
        """As ``construct``; raises NotRun where the default options do not build, which ``any.builds`` reports."""
        try:
            return self.construct(changes, seed, context)
        except NotRun:
            raise
        except ConfigError as error:
            if self.missing():
                raise NotRun(str(error), lacking=True) from None
            if changes:
                raise
        except Exception:
            if changes:
                raise
        raise NotRun("it cannot be built; see any.builds")

    def shared(self) -> Any:
        """An instance for many checks, for kinds whose instances keep no state."""
        if "instance" not in self.memory:
            self.memory["instance"] = self.build()
        return self.memory["instance"]

    def implementation(self) -> Any:
        """The class that ``impl`` names."""
        return load_implementation(self.entry)

    def note(self, sentence: str) -> None:
        """Adds a note, once."""
        if sentence not in self.notes:
            self.notes.append(sentence)
