"""Finds the input pictures of a command.

It also gives each picture a unique name for its results.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import click

from texprior.cli.output import emit, name_broken
from texprior.errors import ConfigError, ImageError


class Source(NamedTuple):
    """A picture to read, and the name of its result, without suffix."""

    path: Path
    name: str


def find_sources(images: Sequence[str]) -> list[Source]:
    """Returns the given files and the pictures of the given folders, in order.

    Subfolders are included. A picture is named by its path below the given folder, so that its name does not depend on
    the other pictures. Only if two pictures would have the same name, the folder distinguishes them, then the suffix,
    then the whole path. Raises ConfigError if a path is missing, a folder has no pictures, or no name distinguishes two
    pictures.
    """
    below: dict[Path, str] = {}
    for image in images:
        for path, name in _files(image):
            below.setdefault(path, name)
    paths, names = list(below), dict[Path, str]()
    # The shortest naming that is unique wins. Names compare in lower case, because some file systems ignore case.
    for naming in (below.__getitem__, _by_folder, _by_suffix, _by_whole_path):
        waiting = [path for path in paths if path not in names]
        taken = Counter([n.lower() for n in names.values()] + [naming(p).lower() for p in waiting])
        names |= {path: naming(path) for path in waiting if taken[naming(path).lower()] == 1}
    unnamed = [str(path) for path in paths if path not in names]
    if unnamed:
        raise ConfigError(f"{', '.join(unnamed)}: their results would have the same name; process them one by one")
    return [Source(path, names[path]) for path in paths]


def target_path(folder: Path, name: str, among: Sequence[Source]) -> Path:
    """Returns ``folder/name.png``. Raises ConfigError if that file is one of the input pictures."""
    path = folder / f"{name}.png"
    if path.exists() and any(path.samefile(source.path) for source in among if source.path.exists()):
        raise ConfigError(f"{path}: the result would overwrite this picture; name another folder with -o")
    return path


def process_each(
    found: Sequence[Source], work: Callable[[Source], dict[str, object]], as_json: bool, **about: object
) -> None:
    """Runs ``work`` for every picture and prints its results.

    With ``as_json``, it prints one JSON document that also holds ``about``. If a picture cannot be read or written, it
    is reported and the others are processed. The exit code is then 1.
    """
    done: list[dict[str, object]] = []
    broken: dict[str, str] = {}
    for source in found:
        try:
            result = work(source)
        except ImageError as error:
            broken[str(source.path)] = str(error)
            continue
        done.append({"picture": str(source.path), **result})
        if not as_json:
            shown = ", ".join(f"{key} {_short(value)}" for key, value in result.items() if value not in (None, []))
            click.echo(f"{source.path}: {shown}")
    if as_json:
        emit({**about, "pictures": done, "broken": broken})
    name_broken(broken, "read or written")


def _files(image: str) -> Iterator[tuple[Path, str]]:
    """Yields a file, or the pictures in a folder, each with its path below the folder as a name."""
    from texprior.flow.image import SUFFIXES

    path = Path(image).expanduser()
    if path.is_dir():
        inside = [p for p in sorted(path.rglob("*")) if p.suffix.lower() in SUFFIXES and p.is_file()]
        # Hidden files and folders hold thumbnails and metadata, not pictures that a user means.
        visible = [p for p in inside if not any(part.startswith(".") for part in p.relative_to(path).parts)]
        if not visible:
            raise ConfigError(f"{image}: there is no picture in this folder ({', '.join(SUFFIXES)})")
        yield from ((file, "-".join(file.relative_to(path).with_suffix("").parts)) for file in visible)
    elif path.exists():
        yield path, path.stem
    else:
        raise ConfigError(f"{image}: there is no such file or folder")


def _by_folder(path: Path) -> str:
    return f"{path.resolve().parent.name}-{path.stem}"


def _by_suffix(path: Path) -> str:
    return f"{_by_folder(path)}-{path.suffix[1:]}"


def _by_whole_path(path: Path) -> str:
    return "-".join([*path.resolve().parent.parts[1:], path.name])


def _short(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(_short(item) for item in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
