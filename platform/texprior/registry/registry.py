"""Resolves the names of components and builds them. Imports no torch."""

from __future__ import annotations

import importlib
import os
import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, overload

from pydantic import BaseModel

from texprior.errors import PluginError, error_text, suggest_name
from texprior.plugin import Command, Component, Options, Ref
from texprior.plugin.added import STORED
from texprior.plugin.origin import Origin, remember_origin
from texprior.plugin.references import kinds_of, refs_of
from texprior.plugin.typed_kind import ComponentKind, T
from texprior.registry.discovery import Plugin, canonical, installed_plugins, plugin_of_file, plugin_of_module

__all__ = ["Entry", "Plugin", "Registry", "canonical", "load_implementation"]

OF_PROCESS = ("process", "scale")
"""What a component is built with only if its record asks (``told_process``): a process, and the layer's scale."""
IN_USE: dict[str, tuple[Entry, Any]] = {}
"""What this process has imported: "kind distribution/name" -> its entry and implementation."""


@dataclass(frozen=True)
class Entry:
    """A component with the plugin that it comes from."""

    component: Component
    plugin: Plugin

    @property
    def qualified(self) -> str:
        return f"{self.plugin.distribution}/{self.component.name}"


@dataclass(eq=False)
class Registry:
    """The components that can be used. ``Registry.discover()`` reads the installed distributions."""

    plugins: list[Plugin] = field(default_factory=list)

    @classmethod
    def discover(cls, files: Iterable[str | Path] = ()) -> Registry:
        """Loads every distribution with entry points in the group, each by itself, then single files."""
        registry = cls(installed_plugins(os.environ.get("TEXPRIOR_DISABLE", "").split(",")))
        for file in files:
            registry.register(file)
        return registry

    def __repr__(self) -> str:
        return f"Registry({len(self.plugins)} plugins, {sum(len(p.components) for p in self.plugins)} components)"

    @property
    def files(self) -> list[str]:
        """The paths of the single-file plugins, which another process gets with ``--plugin``."""
        return [plugin.file for plugin in self.plugins if plugin.file]

    def register(self, source: ModuleType | str | Path) -> Plugin:
        """Adds a plugin from a module or a file.

        The hash of a file's content becomes its version. Raises PluginError if the plugin cannot be added.
        """
        if isinstance(source, ModuleType):
            plugin = plugin_of_module(source)
        elif Path(source).is_file():
            plugin = plugin_of_file(Path(source))
        else:
            raise PluginError(f"plugin file {source}: there is no such file")
        if plugin.status != "loaded":
            raise PluginError(f"plugin {plugin.distribution} {plugin.status}: {plugin.reason}")
        others = [p for p in self.plugins if p.distribution != plugin.distribution or p.installed]
        if any(p.distribution == plugin.distribution for p in others):
            raise PluginError(f"plugin {source}: {plugin.distribution} is installed under this name; rename yours")
        self.plugins = [*others, plugin]
        return plugin

    def entries(self, kind: str | None = None) -> list[Entry]:
        """Returns every usable component, of one kind or of all."""
        return [Entry(c, p) for p in self.plugins for c in p.components if kind in (None, c.kind)]

    def find(self, kind: str, name: str) -> Entry:
        """Resolves a bare or qualified name.

        Raises PluginError if the name is unknown or ambiguous, or if its plugin did not load.
        """
        entries = self.entries(kind)
        distribution, slash, bare = name.rpartition("/")
        wanted = f"{canonical(distribution)}/{bare}" if slash else name
        found = [e for e in entries if wanted in (e.component.name, e.qualified)]
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(e.qualified for e in found)
            raise PluginError(f"{kind} '{name}' is given by several plugins; name one of: {names}")
        self._refuse_failed(kind, name)
        known = sorted({e.component.name for e in entries})
        hint = suggest_name(name.rsplit("/", 1)[-1], known)
        what = "observer of runs (kind events)" if kind == "events" else kind
        raise PluginError(f"there is no {what} '{name}'; {hint}{self._not_loaded()}")

    @overload
    def build(self, kind: ComponentKind[T], ref: Ref, *, seed: int = 0, **context: object) -> T: ...
    @overload
    def build(self, kind: str, ref: Ref, *, seed: int = 0, **context: object) -> Any: ...
    def build(self, kind: ComponentKind[Any] | str, ref: Ref, *, seed: int = 0, **context: object) -> Any:
        """Imports the implementation and builds ``Impl(options, **context)``, after the components in its options.

        ``process`` and ``scale`` reach only those components whose records ask for them, also in options.
        The global random state is forked and seeded by (seed, kind), so that initial weights are a function of keys.
        For a kind's name the result has the type ``Any``; for a ``ComponentKind`` it has the type of the contract.
        """
        name = kind if isinstance(kind, str) else kind.name
        return self._build(name, ref, (seed, "build", name), context)

    def _build(self, kind: str, ref: Ref, key: tuple[str | int, ...], context: dict[str, object]) -> object:
        entry = self.find(kind, ref.name)
        # called with options, a click.Command would run
        if isinstance(entry.component, Command):
            raise PluginError(f"command '{entry.qualified}' is not built; type 'texprior {entry.component.name}'")
        options = entry.component.options.model_validate(ref.options)
        parts: dict[str, object] = {}
        for name, of in kinds_of(type(options)).items():
            named, given = getattr(options, name), context if of == kind else _of_process(context)
            if isinstance(named, list):
                parts[name] = [self._build(of, child, (*key, name, i, of), given) for i, child in enumerate(named)]
            else:
                parts[name] = named and self._build(of, named, (*key, name, of), given)
        with _forked_random_state(*key):  # a module may draw numbers when it is imported
            implementation = load_implementation(entry)
        with _forked_random_state(*key):
            built = implementation(options, **{**_asked(entry, context), **parts})
        remember_origin(built, Origin(kind, entry.qualified, entry.plugin.version))
        return built

    def options_of(self, kind: str, ref: Ref, stored: bool = False) -> Options:
        """Returns the validated options of a component. Raises pydantic's ValidationError.

        ``stored`` says that an earlier version may have written them; see ``plugin.added``.
        """
        context = dict(STORED) if stored else None
        return self.find(kind, ref.name).component.options.model_validate(ref.options, context=context)

    def components_of(self, section: BaseModel, prefix: str = "") -> Iterator[tuple[str, str, Ref]]:
        """Yields every component that a resolved section names, directly or through another component.

        Each item is (dotted path, kind, reference).
        """
        for path, kind, ref in refs_of(section, prefix):
            yield path, kind, ref
            yield from self.components_of(self.options_of(kind, ref), f"{path}.{ref.name}.")

    def warnings_of(self, section: BaseModel) -> list[str]:
        """Returns a sentence for each plugin of a resolved section whose records are of an older plugin API."""
        used = (self.find(kind, ref.name).plugin for _, kind, ref in self.components_of(section))
        return list(dict.fromkeys(plugin.warning for plugin in used if plugin.warning))

    def _refuse_failed(self, kind: str, name: str) -> None:
        distribution = canonical(name.split("/", 1)[0])
        for plugin in self.plugins:
            if "/" in name and plugin.distribution == distribution and plugin.status != "loaded":
                raise PluginError(f"{kind} '{name}': plugin {distribution} is {plugin.status}: {plugin.reason}")

    def _not_loaded(self) -> str:
        bad = [p for p in self.plugins if p.status != "loaded"]
        return "".join(f"; note that plugin {p.distribution} is {p.status}: {p.reason}" for p in bad)


def _of_process(context: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in context.items() if name in OF_PROCESS}


def _asked(entry: Entry, context: dict[str, object]) -> dict[str, object]:
    """Returns the arguments of a component. Raises PluginError if one is missing that its record asks for."""
    if not entry.component.told_process:
        return {name: value for name, value in context.items() if name not in OF_PROCESS}
    if missing := [f"{name}=" for name in OF_PROCESS if name not in context]:
        raise PluginError(
            f"{entry.component.kind} '{entry.qualified}' is built with {' and '.join(missing)}; pass them"
        )
    return context


def load_implementation(entry: Entry) -> Any:
    """Imports ``package.module:Class``. Raises PluginError with the plugin's name if that fails."""
    module, _, attribute = entry.component.impl.partition(":")
    try:
        implementation = getattr(importlib.import_module(module), attribute)
    except KeyboardInterrupt:
        raise
    # a third-party module can raise anything, also what is no Exception
    except BaseException as error:
        raise PluginError(
            f"{entry.component.kind} '{entry.qualified}' cannot be loaded from {entry.component.impl}: "
            f"{error_text(error)}"
        ) from error
    IN_USE[f"{entry.component.kind} {entry.qualified}"] = (entry, implementation)
    return implementation


@contextmanager
def _forked_random_state(*key: str | int) -> Iterator[None]:
    import numpy as np
    import torch

    from texprior.diffusion.keys import seed_of

    python_state, numpy_state = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        value = seed_of(*key)
        if torch.cuda.is_available() or torch.backends.mps.is_available():
            torch.manual_seed(value)
        else:
            # the same for the CPU alone, without the stack trace that torch.manual_seed formats until CUDA is started
            torch.default_generator.manual_seed(value)
        random.seed(value)
        np.random.seed(value % 2**32)
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)
