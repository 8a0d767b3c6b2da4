"""Pictures in and out of a command: files and folders become sources with a name of their own in the output folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import click

from texprior.cli.output import emit, name_broken
from texprior.errors import ConfigError, ImageError


class Source(NamedTuple):
    """A picture to read, and the name, without suffix, of what is made of it."""

    path: Path
    name: str


def find_sources(images: Sequence[str]) -> list[Source]:
    """The named files, and the pictures of the named folders and their subfolders, in order.

    Pictures of one stem are told apart by their folders, then by their suffixes. Raises ConfigError for a path that
    is missing, a folder without pictures, or pictures that no name tells apart.
    """
    paths = list(dict.fromkeys(path for image in images for path in _files(image)))
    names: dict[Path, str] = {}
    for naming in (_by_stem, _by_folder, _by_suffix, _by_whole_path):
        waiting = [path for path in paths if path not in names]
        taken = Counter([n.lower() for n in names.values()] + [naming(p).lower() for p in waiting])
        names |= {path: naming(path) for path in waiting if taken[naming(path).lower()] == 1}
    unnamed = [str(path) for path in paths if path not in names]
    if unnamed:
        raise ConfigError(f"{', '.join(unnamed)}: their results would have one name; restore them one by one")
    return [Source(path, names[path]) for path in paths]


def target_path(folder: Path, name: str, among: Sequence[Source]) -> Path:
    """``folder/name.png``. Raises ConfigError where that is one of the pictures that are read."""
    path = folder / f"{name}.png"
    if path.exists() and any(path.samefile(source.path) for source in among if source.path.exists()):
        raise ConfigError(f"{path}: the result would overwrite this picture; name another folder with -o")
    return path


def process_each(
    found: Sequence[Source], work: Callable[[Source], dict[str, object]], as_json: bool, **about: object
) -> None:
    """Does the work for every picture.

    One that cannot be read or written is named, the rest are done, and the exit code is 1.
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


def _files(image: str) -> Iterator[Path]:
    from texprior.flow.image import SUFFIXES

    path = Path(image).expanduser()
    if path.is_dir():
        inside = [p for p in sorted(path.rglob("*")) if p.suffix.lower() in SUFFIXES and p.is_file()]
        visible = [p for p in inside if not any(part.startswith(".") for part in p.relative_to(path).parts)]
        if not visible:
            raise ConfigError(f"{image}: there is no picture in this folder ({', '.join(SUFFIXES)})")
        yield from visible
    elif path.exists():
        yield path
    else:
        raise ConfigError(f"{image}: there is no such file or folder")


def _by_stem(path: Path) -> str:
    return path.stem


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
