"""The names of the pictures in a folder, and which of them a split takes."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path

from texprior.errors import ConfigError
from texprior.flow.image import SUFFIXES
from texprior_plugins.dataset import ListedOptions

SPLITS = ("train", "val", "test")
_NAMED = 5


def folder(path: str) -> Path:
    """The folder that a user means. Raises ConfigError where there is none."""
    root = Path(path).expanduser()
    if not root.is_dir():
        what = "this is not a folder" if root.exists() else "there is no such folder"
        raise ConfigError(f"{path}: {what} (seen from {Path.cwd()}); give the path of a folder of pictures")
    return root


def pictures(path: str, options: ListedOptions) -> list[str]:
    """Sorted relative POSIX paths of a folder's pictures; hidden files and folders are passed over.

    Raises ConfigError where there is none.
    """
    root = folder(path)
    names = (file.relative_to(root) for file in (root.rglob("*") if options.recursive else root.glob("*")))
    found = sorted(
        name.as_posix()
        for name in names
        if name.suffix.lower() in SUFFIXES
        and fnmatch(name.name, options.pattern)
        and not any(part.startswith(".") for part in name.parts)
        and (root / name).is_file()
    )
    if not found:
        where = "in it or its subfolders" if options.recursive else "in it (subfolders are not read)"
        raise ConfigError(
            f"{path}: there is no picture {where} whose name matches '{options.pattern}' ({', '.join(SUFFIXES)})"
        )
    return found


def some(names: list[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def size(shape: Sequence[int]) -> str:
    """Width and height of a picture's shape."""
    return f"{shape[-1]} x {shape[-2]}"


def chosen(keys: list[str], split: str, options: ListedOptions) -> list[str]:
    """The keys of a split: those of its list where lists are given, else all; at most ``limit``, sorted.

    Raises ConfigError where no list lies in the folder of lists, or one names a picture that is not there.
    """
    if split not in SPLITS:
        return []
    return (keys if options.lists is None else _listed(keys, split, options.lists))[: options.limit]


def _listed(keys: list[str], split: str, lists: str) -> list[str]:
    root = folder(lists)
    if not any((root / f"{name}.txt").is_file() for name in SPLITS):
        raise ConfigError(f"{lists}: there is none of train.txt, val.txt, test.txt in it; write one key a line")
    file = root / f"{split}.txt"
    if not file.is_file():
        return []
    try:
        lines = {line.strip() for line in file.read_text(encoding="utf-8").splitlines()} - {""}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: the list cannot be read ({error})") from None
    unknown = sorted(lines - set(keys))
    if unknown:
        raise ConfigError(f"{file}: these keys have no picture in the data set: {some(unknown)}")
    return sorted(lines)
