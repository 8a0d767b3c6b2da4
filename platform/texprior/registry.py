"""The registry: discovers plugins, isolates their failures, resolves names, builds components. Imports no torch."""

from __future__ import annotations

import difflib
import hashlib
import importlib
import importlib.util
import os
import random
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import EntryPoint, distributions
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import pluggy
from pydantic import BaseModel

from texprior.errors import PluginError
from texprior.plugin import API, GROUP, HOOK_OF_KIND, Component, Hooks, Options, Ref
from texprior.refs import fault_of, kinds_of, refs_of

_NAME = re.compile(r"[a-z0-9][a-z0-9_+-]*")


class _IncompatibleError(PluginError):
    """The plugin asks for a newer contract."""


@dataclass(frozen=True)
class Plugin:
    """What a distribution (or a single file) gave, and how loading it went."""

    distribution: str
    version: str
    status: Literal["loaded", "failed", "disabled", "incompatible"]
    reason: str = ""
    components: tuple[Component, ...] = ()

    @property
    def installed(self) -> bool:
        """Whether it is a distribution; a file or module that was registered has no version, but a hash."""
        return not self.version.startswith("sha256-") and self.version != "unversioned"


@dataclass(frozen=True)
class Entry:
    """A component with the plugin that it comes from."""

    component: Component
    plugin: Plugin

    @property
    def qualified(self) -> str:
        return f"{self.plugin.distribution}/{self.component.name}"


@dataclass
class Registry:
    """The components that are there. ``Registry.discover()`` reads the installed distributions."""

    plugins: list[Plugin] = field(default_factory=list)

    @classmethod
    def discover(cls, files: Iterable[str | Path] = ()) -> Registry:
        """Loads every distribution with entry points in the group, each for itself, then single files."""
        disabled = {canonical(n) for n in os.environ.get("TEXPRIOR_DISABLE", "").split(",") if n.strip()}
        registry = cls()
        for name, (version, points) in sorted(_by_distribution().items()):
            if name in disabled:
                plugin = Plugin(name, version, "disabled", "disabled by TEXPRIOR_DISABLE")
            else:
                plugin = _load(name, version, lambda points=points: [p.load() for p in points])
            registry.plugins.append(plugin)
        for file in files:
            registry.register(file)
        return registry

    def register(self, source: ModuleType | str | Path) -> Plugin:
        """Adds a module, or a file whose content hash becomes its version. Raises PluginError where it fails."""
        if isinstance(source, ModuleType):
            plugin = _load(canonical(source.__name__), _hash_of(source), lambda: [source])
        else:
            path = Path(source)
            if not path.is_file():
                raise PluginError(f"plugin file {path}: there is no such file")
            plugin = _load(canonical(path.stem), _sha256(path), lambda: [_import_file(path.resolve())])
        if plugin.status != "loaded":
            raise PluginError(f"plugin {plugin.distribution} {plugin.status}: {plugin.reason}")
        others = [p for p in self.plugins if p.distribution != plugin.distribution or p.installed]
        if any(p.distribution == plugin.distribution for p in others):
            raise PluginError(f"plugin {source}: {plugin.distribution} is installed under this name; rename yours")
        self.plugins = [*others, plugin]
        return plugin

    def entries(self, kind: str | None = None) -> list[Entry]:
        """Every usable component, of one kind or of all."""
        return [Entry(c, p) for p in self.plugins for c in p.components if kind in (None, c.kind)]

    def find(self, kind: str, name: str) -> Entry:
        """Resolves a bare or qualified name. Raises PluginError: unknown, ambiguous, or its plugin did not load."""
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
        close = difflib.get_close_matches(name.rsplit("/", 1)[-1], known, n=1)
        hint = f"did you mean '{close[0]}'?" if close else f"known are: {', '.join(known) or 'none'}"
        raise PluginError(f"there is no {kind} '{name}'; {hint}{self._not_loaded()}")

    def build(self, kind: str, ref: Ref, *, seed: int = 0, **context: Any) -> Any:
        """Imports the implementation and makes it, ``Impl(options, **context)``; what its options name is built first.

        The global random state is forked meanwhile, seeded by (seed, kind): initial weights are a function of keys.
        """
        return self._build(kind, ref, (seed, "build", kind), context)

    def _build(self, kind: str, ref: Ref, key: tuple[Any, ...], context: dict[str, Any]) -> Any:
        entry = self.find(kind, ref.name)
        options = entry.component.options.model_validate(ref.options)
        parts: dict[str, Any] = {}
        for name, of in kinds_of(type(options)).items():
            named, given = getattr(options, name), context if of == kind else {}
            if isinstance(named, list):
                parts[name] = [self._build(of, child, (*key, name, i, of), given) for i, child in enumerate(named)]
            else:
                parts[name] = named and self._build(of, named, (*key, name, of), given)
        with _forked_random_state(*key):  # a module may draw numbers when it is imported
            implementation = load_implementation(entry)
        with _forked_random_state(*key):
            return implementation(options, **{**context, **parts})

    def options_of(self, kind: str, ref: Ref) -> Options:
        """The validated options of a component (raises pydantic's ValidationError)."""
        return self.find(kind, ref.name).component.options.model_validate(ref.options)

    def components_of(self, section: BaseModel, prefix: str = "") -> Iterator[tuple[str, str, Ref]]:
        """(dotted path, kind, reference) of every component that a resolved section names, and that these name."""
        for path, kind, ref in refs_of(section, prefix):
            yield path, kind, ref
            yield from self.components_of(self.options_of(kind, ref), f"{path}.{ref.name}.")

    def _refuse_failed(self, kind: str, name: str) -> None:
        distribution = canonical(name.split("/", 1)[0])
        for plugin in self.plugins:
            if "/" in name and plugin.distribution == distribution and plugin.status != "loaded":
                raise PluginError(f"{kind} '{name}': plugin {distribution} is {plugin.status}: {plugin.reason}")

    def _not_loaded(self) -> str:
        bad = [p for p in self.plugins if p.status != "loaded"]
        return "".join(f"; note that plugin {p.distribution} is {p.status}: {p.reason}" for p in bad)


def canonical(name: str) -> str:
    """A distribution's normalised name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def load_implementation(entry: Entry) -> Any:
    """Imports ``package.module:Class``. Raises PluginError with the plugin's name where that fails."""
    module, _, attribute = entry.component.impl.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except Exception as error:
        raise PluginError(
            f"{entry.component.kind} '{entry.qualified}' cannot be loaded from {entry.component.impl}: "
            f"{type(error).__name__}: {error}"
        ) from error


def _by_distribution() -> dict[str, tuple[str, list[EntryPoint]]]:
    """Distribution -> version and entry points in the group; one whose metadata cannot be read is passed over."""
    found: dict[str, tuple[str, list[EntryPoint]]] = {}
    for distribution in distributions():
        try:
            if points := [p for p in distribution.entry_points if p.group == GROUP]:
                metadata = distribution.metadata
                found.setdefault(canonical(metadata["Name"]), (metadata["Version"] or "0", points))
        except Exception:  # a damaged installation has no name to report it by
            continue
    return found


def _load(name: str, version: str, modules: Any) -> Plugin:
    """All of a distribution's components, or none and the reason."""
    try:
        manager = pluggy.PluginManager(GROUP)
        manager.add_hookspecs(Hooks)
        for module in modules():
            manager.register(module)
        manager.check_pending()
        components = tuple(_collect(manager))
    except _IncompatibleError as error:
        return Plugin(name, version, "incompatible", str(error))
    except (Exception, SystemExit) as error:  # whatever a stranger's module raises must not stop the others
        return Plugin(name, version, "failed", f"{type(error).__name__}: {error}")
    return Plugin(name, version, "loaded", components=components)


def _collect(manager: pluggy.PluginManager) -> Iterator[Component]:
    seen: set[tuple[str, str]] = set()
    for kind, (hook, record) in HOOK_OF_KIND.items():
        for implementation in getattr(manager.hook, hook).get_hookimpls():
            given = implementation.function()
            if not isinstance(given, list | tuple):
                raise PluginError(f"{hook} must return a list of component records, not {given!r}")
            for component in given:
                _check(component, record, hook)
                if (kind, component.name) in seen:
                    raise PluginError(f"{hook} gives two components named '{component.name}'")
                seen.add((kind, component.name))
                yield component


def _check(component: Any, record: type[Component], hook: str) -> None:
    if not isinstance(component, record):
        raise PluginError(f"{hook} must return {record.__name__} records, not {component!r}")
    if component.api > API:
        raise _IncompatibleError(f"'{component.name}' asks for plugin API {component.api}; this texprior has {API}")
    if not _NAME.fullmatch(component.name):
        raise PluginError(f"'{component.name}' is no component name: lower-case letters, digits and _ + -")
    if ":" not in component.impl:
        raise PluginError(f"'{component.name}': impl must read 'package.module:Class', not '{component.impl}'")
    if not (isinstance(component.options, type) and issubclass(component.options, Options)):
        raise PluginError(f"'{component.name}': options must be a class derived from texprior.plugin.Options")
    if fault := fault_of(component.options, HOOK_OF_KIND):
        raise PluginError(f"'{component.name}': {fault}")


def _import_file(path: Path) -> ModuleType:
    name = path.stem
    if path.suffix != ".py" or not name.isidentifier():
        raise PluginError("a plugin file is named like a Python module, such as my_idea.py")
    earlier = sys.modules.get(name)
    present = earlier.__spec__ if earlier else importlib.util.find_spec(name)
    if present is not None and Path(present.origin or "").resolve() != path:
        raise PluginError(f"the file would hide the module '{name}'; rename it")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        sys.modules.update({name: earlier} if earlier else {})
        raise
    return module


def _hash_of(module: ModuleType) -> str:
    file: str | None = getattr(module, "__file__", None)  # absent where the module was made in memory
    return _sha256(Path(file)) if file else "unversioned"


def _sha256(path: Path) -> str:
    return "sha256-" + hashlib.sha256(path.read_bytes()).hexdigest()[:16]


@contextmanager
def _forked_random_state(*key: Any) -> Iterator[None]:
    import numpy as np
    import torch

    from texprior.diffusion.keys import seed_of

    python_state, numpy_state = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        value = seed_of(*key)
        torch.manual_seed(value)
        random.seed(value)
        np.random.seed(value % 2**32)
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)
