"""Loads plugins from distributions, modules and single files. Imports no torch.

Either all components of a plugin are loaded, or none.
"""

from __future__ import annotations

import contextlib
import importlib.util
import re
import secrets
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from importlib.metadata import Distribution, EntryPoint, distributions
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import pluggy

from texprior._version import __version__
from texprior.digests import content_version
from texprior.errors import IncompatibleError, PluginError, error_text, suggest_name
from texprior.plugin import API, GROUP, HOOK_OF_KIND, Component, Hooks
from texprior.plugin.api_1 import translate
from texprior.registry.containment import contained
from texprior.registry.record_rules import check_record

# The section of texprior's entry points in a distribution's entry_points.txt.
_SECTION = re.compile(rf"^\[{GROUP}\]", re.MULTILINE)
UNVERSIONED = "unversioned"
"""The version of a plugin that was made in memory."""


@dataclass(frozen=True)
class Plugin:
    """The components of a distribution, module or single file, and whether loading them succeeded.

    ``version`` is the distribution's version. For a file or module it is the hash of the content, or ``unversioned`` if
    there is no file to hash. ``file`` is the path of a single-file plugin, which you can pass to another process with
    ``--plugin``. ``token`` is drawn when an unversioned module is registered, and stands for its unknown content.
    ``warning`` says what to write in records of an older plugin API, which were translated; empty if nothing.
    """

    distribution: str
    version: str
    status: Literal["loaded", "failed", "disabled", "incompatible"]
    reason: str = ""
    components: tuple[Component, ...] = ()
    file: str = ""
    token: str = ""
    warning: str = ""
    notes: tuple[str, ...] = ()
    """What the plugin did while it was loaded, and should not: each continues the sentence "plugin NAME ..."."""

    def __repr__(self) -> str:
        about = self.reason or f"{len(self.components)} components"
        return f"Plugin({self.distribution} {self.version}, {self.status}: {about})"

    @property
    def installed(self) -> bool:
        """Whether the plugin is an installed distribution.

        Else it is a file or module that was registered.
        """
        # only registered files and modules have these versions
        return not self.version.startswith("sha256-") and self.version != UNVERSIONED


def canonical(name: str) -> str:
    """Returns a distribution's name in normalised form (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def installed_plugins(disabled: Iterable[str] = (), besides: Iterable[str] = ()) -> list[Plugin]:
    """Loads every distribution that has texprior entry points, sorted by name.

    Distributions in ``disabled`` are listed but not imported, and those in ``besides`` are left out.
    """
    found: dict[str, Plugin] = {}
    off, left_out = {canonical(name) for name in disabled if name.strip()}, set(besides)
    for distribution in distributions():
        plugin = _of_distribution(distribution, off, left_out | found.keys())
        if plugin is not None:
            found[plugin.distribution] = plugin
    return [found[name] for name in sorted(found)]


def plugin_of_file(path: Path) -> Plugin:
    """Loads the plugin in a single file."""
    file = path.resolve()
    return _load(canonical(path.stem), content_version([file]), lambda: [_import_file(file)], str(file))


def plugin_of_module(module: ModuleType) -> Plugin:
    """Loads the plugin in a module, such as a module made in a notebook."""
    files = _files_of(module)
    alone = str(files[0]) if len(files) == 1 and not hasattr(module, "__path__") else ""
    version, token = (content_version(files), "") if files else (UNVERSIONED, secrets.token_hex(8))
    return replace(_load(canonical(module.__name__), version, lambda: [module], alone), token=token)


def _of_distribution(distribution: Distribution, disabled: set[str], seen: Iterable[str]) -> Plugin | None:
    """Loads the plugin of a distribution; returns None if it has none.

    Also returns None for a second copy further down the path, which Python would not import.
    """
    try:
        # by value: two entry points that name the same module must not register it twice
        points = {p.value: p for p in distribution.entry_points if p.group == GROUP}
        if not points:
            return None
        metadata = distribution.metadata
        name, version = canonical(metadata["Name"]), str(metadata["Version"] or "0")
        requires = [str(text) for text in metadata.get_all("Requires-Dist") or []]
    # metadata of a damaged installation can raise anything; report it if the distribution would have been a plugin
    except Exception as error:
        return _damaged(distribution, error, seen)
    if name in seen:
        return None
    if name in disabled:
        return Plugin(name, version, "disabled", "disabled by TEXPRIOR_DISABLE")
    return _load(name, version, lambda: _import_points(points.values(), requires))


def _damaged(distribution: Distribution, error: Exception, seen: Iterable[str]) -> Plugin | None:
    """Reports a damaged plugin by the name of its folder; returns None if it was no plugin."""
    # a private attribute: the metadata cannot be read, and importlib.metadata has no public way to get the folder
    folder = Path(getattr(distribution, "_path", "")).stem
    name, _, version = folder.partition("-")
    with contextlib.suppress(Exception):
        if name and canonical(name) not in seen and _SECTION.search(distribution.read_text("entry_points.txt") or ""):
            reason = f"its metadata cannot be read ({error_text(error)})"
            return Plugin(canonical(name), version or "0", "failed", reason)
    return None


def _import_points(points: Iterable[EntryPoint], requires: Iterable[str]) -> list[Any]:
    unmet = [text for text in requires if _is_unmet(text)]
    if unmet:
        raise IncompatibleError(f"it requires '{unmet[0]}', and this is texprior {__version__}")
    return [point.load() for point in points]


def _is_unmet(text: str) -> bool:
    """Returns whether this is a requirement on texprior that the running version does not meet."""
    # check the name first, so that most plugins load without importing packaging
    if not text.lower().startswith(GROUP):
        return False
    from packaging.requirements import Requirement

    requirement = Requirement(text)
    if canonical(requirement.name) != GROUP or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
        return False
    return not requirement.specifier.contains(__version__, prereleases=True)


def _load(name: str, version: str, modules: Callable[[], list[Any]], file: str = "") -> Plugin:
    """Loads all components of a plugin, or none of them and the reason."""
    notes: list[str] = []
    try:
        with contained(notes):
            translated = _translated(modules)
    except IncompatibleError as error:
        return Plugin(name, version, "incompatible", str(error), file=file, notes=tuple(notes))
    # a third-party module can raise anything, also what is no Exception; this must not stop the other plugins
    except BaseException as error:
        # Ctrl-C while a plugin is loaded
        if type(error) is KeyboardInterrupt:
            raise
        reason = str(error) if isinstance(error, PluginError) else error_text(error)
        return Plugin(name, version, "failed", reason, file=file, notes=tuple(notes))
    advice = "; ".join(text for _, text in translated if text)
    warning = f"plugin {name} uses plugin API 1, which still works; write api={API} and {advice}" if advice else ""
    components = tuple(record for record, _ in translated)
    return Plugin(name, version, "loaded", components=components, file=file, warning=warning, notes=tuple(notes))


def _translated(modules: Callable[[], list[Any]]) -> list[tuple[Component, str]]:
    """Returns a plugin's records in the newest API, each with what its author should write."""
    manager = pluggy.PluginManager(GROUP)
    manager.add_hookspecs(Hooks)
    for module in modules():
        manager.register(module)
        _refuse_unmarked(module)
    _refuse_unknown(manager)
    return [translate(record) for record in _collect(manager)]


def _refuse_unknown(manager: pluggy.PluginManager) -> None:
    """Raises PluginError for a function that is marked as a hook, but has the name of none."""
    hooks = [hook for hook, _ in HOOK_OF_KIND.values()]
    for module in manager.get_plugins():
        for found in manager.get_hookcallers(module) or ():
            if found.name not in hooks:
                raise PluginError(f"there is no hook {found.name}; {suggest_name(found.name, hooks)}")


def _refuse_unmarked(module: object) -> None:
    """Raises PluginError for a hook function without ``@hookimpl``, which pluggy would ignore silently."""
    hooks = {hook for hook, _ in HOOK_OF_KIND.values()}
    for name, value in vars(module).items() if isinstance(module, ModuleType) else ():
        if name in hooks and callable(value) and not hasattr(value, f"{GROUP}_impl"):
            raise PluginError(f"{name} is not marked as a hook; write @hookimpl above it")


def _collect(manager: pluggy.PluginManager) -> Iterator[Component]:
    """Yields the components of every hook implementation, after checking them."""
    seen: set[tuple[str, str]] = set()
    implemented = 0
    for kind, (hook, record) in HOOK_OF_KIND.items():
        # call each implementation by itself, and not all through pluggy, so that an error belongs to one of them
        for implementation in getattr(manager.hook, hook).get_hookimpls():
            implemented += 1
            given = implementation.function()
            if not isinstance(given, list | tuple):
                raise PluginError(f"{hook} must return a list of component records, not {given!r}")
            for component in given:
                check_record(component, record, hook)
                if (kind, component.name) in seen:
                    raise PluginError(f"{hook} returns two components named '{component.name}'")
                seen.add((kind, component.name))
                yield component
    if not implemented:
        raise PluginError(f"it implements no hook; a hook is a function such as {next(iter(HOOK_OF_KIND.values()))[0]}")


def _import_file(path: Path) -> ModuleType:
    name = path.stem
    if path.suffix != ".py" or not name.isidentifier():
        raise PluginError("a plugin file must be named like a Python module, such as my_idea.py")

    # the same file may be imported again, but it must not replace another module of this name
    earlier = sys.modules.get(name)
    present = earlier.__spec__ if earlier else importlib.util.find_spec(name)
    if present is not None and Path(present.origin or "").resolve() != path:
        raise PluginError(f"the file would hide the module '{name}'; rename it")

    # register the module before it runs, as import does: dataclasses and pickle look it up by name
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    # also on Ctrl-C: sys.modules must not keep a module that ran only halfway
    except BaseException:
        del sys.modules[name]
        sys.modules.update({name: earlier} if earlier else {})
        raise
    return module


def _files_of(module: ModuleType) -> list[Path]:
    """Returns the Python file of a module, or all files of a package; none if it was made in memory."""
    folders: Iterable[str] = getattr(module, "__path__", ())
    files = [path for folder in folders for path in sorted(Path(folder).rglob("*.py"))]
    own: str | None = getattr(module, "__file__", None)
    return files or ([Path(own).resolve()] if own else [])
