"""Builds the component under test.

It also finds what this machine lacks for the component, and stores results that checks share.
"""

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
    """A component under test, with the options that its author passed.

    All other options keep their defaults.
    """

    registry: Registry
    entry: Entry
    options: Mapping[str, Any] = field(default_factory=dict)
    denoiser: Ref | None = None
    """The denoiser that an adapter steers. If None, the kit tries the installed ones."""
    notes: list[str] = field(default_factory=list)
    """Notes for the reader of the result, such as the name of the denoiser that was used."""
    memory: dict[str, Any] = field(default_factory=dict)
    """Slow results that several checks share."""

    @property
    def record(self) -> Component:
        """The record that the plugin declares."""
        return self.entry.component

    @property
    def model(self) -> type[Options]:
        """The class of the component's options."""
        return self.record.options

    @property
    def probe(self) -> Probe:
        """The probe of the component's kind: how the kit runs it."""
        return PROBES[self.record.kind]

    def given(self, changes: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Returns the options as passed, with changes by dotted path.

        A required option that is missing gets its first ``Field(examples=...)``. If it names components and has no
        examples, it gets an installed component of that kind. Raises NotRun if an option is still missing.
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
                raise NotRun(f"option '{name}' has no default: pass a value for it, or give its Field examples")
        return values

    def _components(self, option: str, kind: str, several: bool) -> Any:
        """Returns the first installed component of a kind that needs no options, packages or weights."""
        for entry in self.registry.entries(kind):
            record = entry.component
            whole = not any(info.is_required() for info in record.options.model_fields.values())
            if whole and not record.requires and not record.weights and entry.qualified != self.entry.qualified:
                self.note(f"option '{option}' is {entry.qualified}")
                return [entry.qualified] if several else entry.qualified
        raise NotRun(
            f"option '{option}' names a component of kind {kind}, but none is installed that needs no options",
            lacking=True,
        )

    def validate(self) -> None:
        """Raises ConfigError if a passed option is invalid or the denoiser does not exist."""
        if self.denoiser:
            self.registry.find("denoiser", self.denoiser.name)
        try:
            self.model.model_validate(dict(self.options))
        except ValidationError as error:
            # only options that were passed: the checks report a required one that is missing as not run
            found = [c for c in complaints_from(error, self.model) if c.path.partition(".")[0] in self.options]
            raise_complaints([c.below(f"{self.record.kind}.{self.record.name}") for c in found], "options", {})

    def accepts(self, changes: Mapping[str, Any]) -> bool:
        """Returns True if the options with these changes are valid together."""
        try:
            self.model.model_validate(self.given(changes))
        except ValidationError:
            return False
        return True

    def missing(self) -> list[str]:
        """Returns the packages and third-party parameters that the record declares but this machine lacks."""
        # find_spec does not import the package, which may be slow
        packages = [f"package {name}" for name in self.record.requires if find_spec(name) is None]
        parameters = [f"parameters {w.name}" for w in self.record.weights if weights.locate(w) is None]
        return packages + parameters

    def ref(self, changes: Mapping[str, Any] | None = None) -> Ref:
        """Returns the component in the form in which an experiment names it."""
        return Ref(name=self.entry.qualified, options=self.given(changes))

    def construct(
        self, changes: Mapping[str, Any] | None = None, seed: int = 0, context: Mapping[str, Any] | None = None
    ) -> Any:
        """Builds a new instance through the registry, as for a run.

        Errors of the build pass through.
        """
        packages = [name for name in self.record.requires if find_spec(name) is None]
        if packages:
            raise NotRun(f"it requires {', '.join(packages)}, which is not installed here", lacking=True)
        kind, ref = self.record.kind, self.ref(changes)
        given = PROBES[kind].context(self) if context is None else context
        # observers may write where they are built, so they are built in an empty folder
        with PROBES[kind].around():
            return self.registry.build(kind, ref, seed=seed, **given)

    def build(
        self, changes: Mapping[str, Any] | None = None, seed: int = 0, context: Mapping[str, Any] | None = None
    ) -> Any:
        """Builds an instance like ``construct``, but raises NotRun if the default options do not build.

        The check ``any.builds`` reports that failure, so other checks need not repeat it.
        """
        try:
            return self.construct(changes, seed, context)
        except NotRun:
            raise
        except ConfigError as error:
            # a declared package or weight that this machine lacks is not the fault of the component
            if self.missing():
                raise NotRun(str(error), lacking=True) from None
            if changes:
                raise
        except Exception:
            # changed options are what the calling check tests, so their errors belong to it
            if changes:
                raise
        raise NotRun("it cannot be built; see any.builds", caused=True)

    def shared(self) -> Any:
        """Returns one instance for many checks. Use it for kinds whose instances keep no state."""
        if "instance" not in self.memory:
            self.memory["instance"] = self.build()
        return self.memory["instance"]

    def implementation(self) -> Any:
        """Returns the class that ``impl`` names."""
        return load_implementation(self.entry)

    def note(self, sentence: str) -> None:
        """Adds a note, unless it is already there."""
        if sentence not in self.notes:
            self.notes.append(sentence)
