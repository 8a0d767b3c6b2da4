"""Lists the pictures in a folder and chooses those of a split."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path

from texprior.errors import ConfigError
from texprior.flow.image import SUFFIXES
from texprior_plugins.dataset import ListedOptions

SPLITS = ("train", "val", "test")
# How many names an error message lists: enough to recognise the problem, few enough for one screen.
_NAMED = 5


def folder(path: str) -> Path:
    """Returns the folder at a path that a user wrote.

    ``~`` is home. Raises ConfigError if there is no folder.
    """
    root = Path(path).expanduser()
    if not root.is_dir():
        what = "this is not a folder" if root.exists() else "there is no such folder"
        raise ConfigError(f"{path}: {what} (relative paths start at {Path.cwd()}); set it to a folder of pictures")
    return root


def pictures(path: str, options: ListedOptions) -> list[str]:
    """Returns the sorted relative POSIX paths of a folder's pictures; skips hidden files and folders.

    Raises ConfigError if there is no picture.
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
    """Returns the first few names and the number of the others, for messages."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def size(shape: Sequence[int]) -> str:
    """Returns a picture's width and height for messages, such as "640 x 480"."""
    return f"{shape[-1]} x {shape[-2]}"


def chosen(keys: list[str], split: str, options: ListedOptions) -> list[str]:
    """Returns the keys of a split, sorted, at most ``limit``.

    If ``lists`` is set they are the keys in the split's list, else all keys. Raises ConfigError if the folder of lists
    contains no list, or if a list names a picture that does not exist.
    """
    if split not in SPLITS:
        return []
    return (keys if options.lists is None else _listed(keys, split, options.lists))[: options.limit]


def _listed(keys: list[str], split: str, lists: str) -> list[str]:
    root = folder(lists)
    if not any((root / f"{name}.txt").is_file() for name in SPLITS):
        raise ConfigError(f"{lists}: the folder has none of train.txt, val.txt, test.txt; write one key per line")
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
