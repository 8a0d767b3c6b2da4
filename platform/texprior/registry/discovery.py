"""Loading plugins: what a distribution, a module or a single file gives, whole or not at all. Imports no torch."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, EntryPoint, distributions
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import pluggy

from texprior._version import __version__
from texprior.errors import PluginError
from texprior.plugin import API, GROUP, HOOK_OF_KIND, Component, Hooks, Options
from texprior.plugin.references import check_references

_NAME = re.compile(r"[a-z0-9][a-z0-9_+-]*")
_IMPL = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_SECTION = re.compile(rf"^\[{GROUP}\]", re.MULTILINE)


class _IncompatibleError(PluginError):
    """The plugin asks for a newer contract, or for another texprior."""


@dataclass(frozen=True)
class Plugin:
    """What a distribution (or a single file) gave, and how loading it went.

    ``version`` is the distribution's; of a file or module it is the hash of its content, ``unversioned`` where it has
    none. ``file`` is the single file, which another process can be given with ``--plugin``.
    """

    distribution: str
    version: str
    status: Literal["loaded", "failed", "disabled", "incompatible"]
    reason: str = ""
    components: tuple[Component, ...] = ()
    file: str = ""

    @property
    def installed(self) -> bool:
        """Whether it is a distribution; a file or module that was registered has no version, but a hash."""
        return not self.version.startswith("sha256-") and self.version != "unversioned"


def canonical(name: str) -> str:
    """A distribution's normalised name (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def installed_plugins(disabled: Iterable[str] = ()) -> list[Plugin]:
    """Every distribution with entry points in the group, by name. Those in ``disabled`` are not imported."""
    found: dict[str, Plugin] = {}
    off = {canonical(name) for name in disabled if name.strip()}
    for distribution in distributions():
        plugin = _of_distribution(distribution, off, found)
        if plugin is not None:
            found[plugin.distribution] = plugin
    return [found[name] for name in sorted(found)]


def plugin_of_file(path: Path) -> Plugin:
    """The plugin that is a single file."""
    file = path.resolve()
    return _load(canonical(path.stem), _sha256([file]), lambda: [_import_file(file)], str(file))


def plugin_of_module(module: ModuleType) -> Plugin:
    """The plugin that is a module, such as one of a notebook."""
    files = _files_of(module)
    alone = str(files[0]) if len(files) == 1 and not hasattr(module, "__path__") else ""
    version = _sha256(files) if files else "unversioned"
    return _load(canonical(module.__name__), version, lambda: [module], alone)


def _of_distribution(distribution: Distribution, disabled: set[str], seen: Iterable[str]) -> Plugin | None:
    """None for what gives no plugin, and for a second copy further down the path, which Python would not import."""
    try:
        points = {p.value: p for p in distribution.entry_points if p.group == GROUP}  # two names of one module are one
        if not points:
            return None
        metadata = distribution.metadata
        name, version = canonical(metadata["Name"]), str(metadata["Version"] or "0")
        requires = [str(text) for text in metadata.get_all("Requires-Dist") or []]
    except Exception as error:  # a damaged installation: it is told where it would have been a plugin
        return _damaged(distribution, error, seen)
    if name in seen:
        return None
    if name in disabled:
        return Plugin(name, version, "disabled", "disabled by TEXPRIOR_DISABLE")
    return _load(name, version, lambda: _import_points(points.values(), requires))


def _damaged(distribution: Distribution, error: Exception, seen: Iterable[str]) -> Plugin | None:
    """A distribution by the name of its folder, as its metadata say none."""
    folder = Path(getattr(distribution, "_path", "")).stem
    name, _, version = folder.partition("-")
    with contextlib.suppress(Exception):
        if name and canonical(name) not in seen and _SECTION.search(distribution.read_text("entry_points.txt") or ""):
            reason = f"its metadata cannot be read ({type(error).__name__}: {error})"
            return Plugin(canonical(name), version or "0", "failed", reason)
    return None


def _import_points(points: Iterable[EntryPoint], requires: Iterable[str]) -> list[Any]:
    unmet = [text for text in requires if _is_unmet(text)]
    if unmet:
        raise _IncompatibleError(f"it requires '{unmet[0]}', and this is texprior {__version__}")
    return [point.load() for point in points]


def _is_unmet(text: str) -> bool:
    """Whether it is a requirement on texprior that does not hold here."""
    if not text.lower().startswith(GROUP):  # packaging is imported for its own requirements alone
        return False
    from packaging.requirements import Requirement

    requirement = Requirement(text)
    if canonical(requirement.name) != GROUP or (requirement.marker and not requirement.marker.evaluate({"extra": ""})):
        return False
    return not requirement.specifier.contains(__version__, prereleases=True)


def _load(name: str, version: str, modules: Callable[[], list[Any]], file: str = "") -> Plugin:
    """All of a distribution's components, or none and the reason."""
    try:
        manager = pluggy.PluginManager(GROUP)
        manager.add_hookspecs(Hooks)
        for module in modules():
            manager.register(module)
            _refuse_unmarked(module)
        manager.check_pending()
        components = tuple(_collect(manager))
    except _IncompatibleError as error:
        return Plugin(name, version, "incompatible", str(error), file=file)
    except (Exception, SystemExit) as error:  # whatever a stranger's module raises must not stop the others
        reason = str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"
        return Plugin(name, version, "failed", reason, file=file)
    return Plugin(name, version, "loaded", components=components, file=file)


def _refuse_unmarked(module: Any) -> None:
    """A hook without its mark would be passed over in silence."""
    hooks = {hook for hook, _ in HOOK_OF_KIND.values()}
    for name, value in vars(module).items() if isinstance(module, ModuleType) else ():
        if name in hooks and callable(value) and not hasattr(value, f"{GROUP}_impl"):
            raise PluginError(f"{name} is not marked as a hook; write @hookimpl above it")


def _collect(manager: pluggy.PluginManager) -> Iterator[Component]:
    """The components of every hook implementation, each called by itself: one that raises is known by its plugin."""
    seen: set[tuple[str, str]] = set()
    implemented = 0
    for kind, (hook, record) in HOOK_OF_KIND.items():
        for implementation in getattr(manager.hook, hook).get_hookimpls():
            implemented += 1
            given = implementation.function()
            if not isinstance(given, list | tuple):
                raise PluginError(f"{hook} must return a list of component records, not {given!r}")
            for component in given:
                _check(component, record, hook)
                if (kind, component.name) in seen:
                    raise PluginError(f"{hook} gives two components named '{component.name}'")
                seen.add((kind, component.name))
                yield component
    if not implemented:
        raise PluginError(f"it implements no hook; a hook is a function such as {next(iter(HOOK_OF_KIND.values()))[0]}")


def _check(component: Any, record: type[Component], hook: str) -> None:
    if not isinstance(component, record):
        raise PluginError(f"{hook} must return {record.__name__} records, not {component!r}")
    if component.api > API:
        raise _IncompatibleError(f"'{component.name}' asks for plugin API {component.api}; this texprior has {API}")
    if not _NAME.fullmatch(component.name):
        raise PluginError(f"'{component.name}' is no component name: lower-case letters, digits and _ + -")
    if not _IMPL.fullmatch(component.impl):
        raise PluginError(f"'{component.name}': impl must read 'package.module:Class', not '{component.impl}'")
    if not (isinstance(component.options, type) and issubclass(component.options, Options)):
        raise PluginError(f"'{component.name}': options must be a class derived from texprior.plugin.Options")
    if fault := check_references(component.options, HOOK_OF_KIND):
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


def _files_of(module: ModuleType) -> list[Path]:
    """The Python files of a module: its own, or all of a package; none where it was made in memory."""
    folders: Iterable[str] = getattr(module, "__path__", ())
    files = [path for folder in folders for path in sorted(Path(folder).rglob("*.py"))]
    own: str | None = getattr(module, "__file__", None)
    return files or ([Path(own).resolve()] if own else [])


def _sha256(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.read_bytes())
    return f"sha256-{digest.hexdigest()[:16]}"
