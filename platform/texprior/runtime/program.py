"""Finds the program of a component.

The program is the modules and data files of its plugin that decide what the component does. These are the module of the
implementation and every module of the plugin that it imports, directly or through others. They are found in the text of
the files, so nothing is imported. Unrelated modules of the plugin do not count, nor do comments, docstrings and
formatting (ADR 14).
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.machinery import EXTENSION_SUFFIXES, ModuleSpec
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from texprior.digests import content_version, digest
from texprior.plugin import GROUP
from texprior.registry import Entry, Plugin
from texprior.runtime.syntax import Import, Source, parse_source

_DIGITS = 16
"""Hex digits of a program's digest: as many as those of a single file's version."""
_SUFFIXES = (*EXTENSION_SUFFIXES, ".py")
"""Suffixes of a module's file, in the order in which Python looks for them."""
_READ: dict[Path, tuple[ModuleSpec | None, bytes]] = {}
"""File -> the import (a reload is another one) by which this process runs it, and its text at that time."""


def program_digest(entry: Entry) -> str:
    """Returns the digest of a component's program; empty if its implementation cannot be found.

    A component of a module without a file has the token that was drawn when the module was registered.
    """
    if entry.plugin.token:
        return entry.plugin.token
    component, reach = entry.component, _reach_of(entry)
    name = component.impl.partition(":")[0]
    if reach.find(name) is None:
        # a module in an archive has no file: the version stands for its content; building reports one that is nowhere
        return entry.plugin.version if _is_there(name) else ""
    sources = {module: (file, _source(module, file, entry.plugin)) for module, file in _used(entry, reach).items()}
    data = {path.as_posix(): found for module, (file, s) in sources.items() for path, found in _data(module, file, s)}
    weights = [w.tensors_sha256 for w in component.weights]
    content = [component.impl, weights, {module: source.digest for module, (_, source) in sources.items()}, data]
    return digest(content, _DIGITS, sort_keys=True)


@dataclass(frozen=True)
class _Reach:
    """Where a plugin's own modules are: below a folder, and in packages and modules of these top-level names."""

    folder: Path | None
    tops: frozenset[str]

    def find(self, name: str) -> Path | None:
        """Returns the file of one of the plugin's modules, or None.

        For a package, it is the file of its ``__init__``. None means that there is no such file.
        """
        top, *parts = name.split(".")
        stems = [*([self.folder / top] if self.folder else []), *(_stems(top) if top in self.tops else [])]
        for stem in (stem.joinpath(*parts) for stem in stems):
            for file in (stem / "__init__.py", *(stem.with_name(stem.name + suffix) for suffix in _SUFFIXES)):
                if file.is_file():
                    return file
        return None


def _reach_of(entry: Entry) -> _Reach:
    plugin, top = entry.plugin, entry.component.impl.partition(":")[0].partition(".")[0]
    if plugin.file:
        return _Reach(Path(plugin.file).parent, frozenset({top}))
    if not plugin.installed:
        return _Reach(None, frozenset({top}))
    try:
        installed = distribution(plugin.distribution)
    except PackageNotFoundError:
        return _Reach(None, frozenset({top}))
    modules = {point.module for point in installed.entry_points if point.group == GROUP}
    listed = {path.parts[0] for path in installed.files or () if path.suffix == ".py"}
    # an editable installation lists no modules; its packages are side by side, in a folder without any metadata
    sources = (stem.parent for stem in _stems(top) if not any(stem.parent.glob("*.dist-info")))
    return _Reach(next(sources, None), frozenset({top, *(n.partition(".")[0] for n in (*modules, *listed))}))


def _stems(top: str) -> list[Path]:
    """Returns the folders of a top-level package, or the file of a module without its suffix; imports neither."""
    module = sys.modules.get(top)
    folders, file = getattr(module, "__path__", None), getattr(module, "__file__", None)
    if module is None and _is_there(top):
        spec = importlib.util.find_spec(top)
        folders, file = (spec.submodule_search_locations, spec.origin) if spec else (None, None)
    if folders is not None:
        return [Path(folder) for folder in folders]
    return [Path(file).parent / Path(file).name.partition(".")[0]] if file else []


def _is_there(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    # also a broken parent package, which finding a module imports; building the component reports it
    except Exception:
        return False


def _used(entry: Entry, reach: _Reach) -> dict[str, Path]:
    """Returns the modules of a component's program, with their files."""
    found: dict[str, Path] = {}
    waiting = [entry.component.impl.partition(":")[0]]
    # options are settings, but their class may have functions that the implementation calls without importing it
    for options in entry.component.options.__mro__:
        file = reach.find(options.__module__)
        if file is not None and options.__name__ in _source_of(options.__module__, file).acting:
            waiting.append(options.__module__)
    while waiting:
        name = waiting.pop()
        file = reach.find(name)
        if file is not None and name not in found:
            found[name] = file
            package = name if file.stem == "__init__" else name.rpartition(".")[0]
            imports = _source_of(name, file).imports
            waiting += [target for each in imports for target in _targets(each, package, reach)]
    return found


def _targets(found: Import, package: str, reach: _Reach) -> Iterator[str]:
    """Yields the modules that an import in a package may take something from."""
    parts = package.split(".") if found.level and package else []
    above = parts[: len(parts) - found.level + 1]
    base = ".".join([*above, *([found.module] if found.module else [])])
    if not base:
        return  # a relative import outside of a package, which Python refuses
    if not found.names:
        yield base
    file = reach.find(base)
    for name in found.names:
        is_module = reach.find(f"{base}.{name}") is not None
        if is_module:
            yield f"{base}.{name}"
        # the package's __init__ may define a name that one of its modules has too: either may be meant, so both count
        if not is_module or (file is not None and name in _source_of(base, file).bound):
            yield base


def _source(name: str, file: Path, plugin: Plugin) -> Source:
    """Returns the source of a module.

    If a single file was edited after it was registered, the digest covers both contents: the old one runs.
    """
    source = _source_of(name, file)
    edited = plugin.file == str(file) and plugin.version != content_version([file])
    return replace(source, digest=f"{plugin.version} {source.digest}") if edited else source


def _source_of(name: str, file: Path) -> Source:
    """Returns the source that this process runs or will run: an imported module does not change with its file."""
    running: ModuleSpec | None = getattr(sys.modules.get(name), "__spec__", None)
    known, text = _READ.get(file, (None, b""))
    if file not in _READ or running is None or (known is not None and known is not running):
        text = file.read_bytes()
    _READ[file] = running, text
    return parse_source(text) if file.suffix == ".py" else Source(hashlib.sha256(text).hexdigest())


def _data(module: str, file: Path, source: Source) -> Iterator[tuple[Path, str]]:
    """Yields the data files that a module names as strings, relative to its package's root, with their hashes.

    They are in the folder of the module, in the root, or in a folder below that the module names too, as in
    ``here / "tables" / "lut.npy"``.
    """
    depth = module.count(".") - (file.stem != "__init__")
    root = file.parents[max(depth, 0)].resolve()
    folders = list(dict.fromkeys([file.parent.resolve(), root]))
    # the list grows while it is worked through: a folder may be named in several parts
    for folder in folders:
        for path in (path for text in source.strings if (path := _below(folder, text, root))):
            if path.is_dir():
                folders += [path] if path not in folders else []
            elif path.suffix != ".py" and path.is_file():
                yield path.relative_to(root), hashlib.sha256(path.read_bytes()).hexdigest()


def _below(folder: Path, text: str, root: Path) -> Path | None:
    """Returns the path that a string names from a folder, if it is there and below the root."""
    # a long text, or one with line breaks, is no path; some systems raise for it instead of finding nothing
    if not text or len(text) > 255 or not text.isprintable():
        return None
    path = folder / text
    with suppress(OSError):  # a name that is too long for the file system
        return path.resolve() if path.exists() and path.resolve().is_relative_to(root) else None
    return None
