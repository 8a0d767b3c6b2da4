"""Finds the input pictures of a command.

It also gives each picture a unique name for its results.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import click

from texprior.cli.output import emit, name_broken
from texprior.errors import ConfigError, ImageError, printable

AMPLIFIED = 4.0
"""The factor of a texture layer in its picture by default: textures of photographs are too faint to see without it."""


class Source(NamedTuple):
    """A picture to read, and the name of its result, without suffix."""

    path: Path
    name: str

    @property
    def key(self) -> str:
        """The file's name, on which random numbers depend."""
        return printable(self.path.name)


full_names_option = click.option(
    "--full-names",
    is_flag=True,
    help="Name results after the whole paths as given: a/photo.jpg gives a-photo.jpg.png, not photo.png.",
)


def find_sources(images: Sequence[str], output: str | None = None, full_names: bool = False) -> list[Source]:
    """Returns the given files and the pictures of the given folders, in order, without what lies below ``output``.

    Subfolders are included. A picture is named by its path below the given folder, without suffix and with hyphens for
    slashes; a given file by its name. With ``full_names`` the name is the whole path as given, with its suffix. So a
    name depends on no other picture. Raises ConfigError if a path is missing, a folder has no pictures or is the output
    folder, or two pictures would have the same name.
    """
    found: dict[str, Source] = {}
    for image in images:
        for path, below in _files(image, output):
            name = path.parts if full_names else below.with_suffix("").parts
            # a picture that is given twice is one; a link to it is another
            found.setdefault(os.path.abspath(path), Source(path, _joined(name)))  # noqa: PTH100
    _refuse_twins(list(found.values()), full_names)
    return list(found.values())


def _joined(parts: Sequence[str]) -> str:
    # results are files whose names every program can read, whatever the picture's own is
    return printable("-".join(part for part in parts if part not in ("/", "..")))


def _refuse_twins(found: Sequence[Source], full_names: bool) -> None:
    """Raises ConfigError if two pictures have one name; lower case, because some file systems ignore case."""
    named: dict[str, Source] = {}
    for source in found:
        other = named.setdefault(source.name.lower(), source)
        if other is not source:
            remedy = "process them one by one, into two folders" if full_names else "--full-names tells them apart"
            raise ConfigError(f"{other.path}, {source.path}: their results would have the same name; {remedy}")


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
            click.echo(printable(f"{source.path}: {shown}"))
    if as_json:
        emit({**about, "pictures": done, "broken": broken})
    name_broken(broken, "read or written")


def _files(image: str, output: str | None) -> list[tuple[Path, Path]]:
    """Returns the pictures of what was given: each with its path below the given folder, or its name for a file."""
    from texprior.flow.picture_files import find_pictures

    given = Path(image).expanduser()
    if not os.path.exists(given):  # noqa: PTH110 (Path.exists may raise)
        raise ConfigError(f"{image}: there is no such file or folder")
    if not given.is_dir():
        return [(given, Path(given.name))]
    results = None if output is None else Path(output)
    if results and results.exists() and given.samefile(results):
        raise ConfigError(
            f"-o {output}: this folder holds the pictures, and a second run would take the results for pictures; "
            "name another folder"
        )
    found = find_pictures(given, without=results)
    if not found:
        raise ConfigError(f"{image}: there is no picture in this folder or its subfolders")
    return [(given / below, below) for below in found]


def _short(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(_short(item) for item in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
