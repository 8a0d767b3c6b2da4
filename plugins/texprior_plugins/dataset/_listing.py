"""Lists the pictures in a folder and chooses those of a split."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from texprior.errors import ConfigError, printable
from texprior.flow.picture_files import find_pictures, some
from texprior_plugins.dataset import ListedOptions

SPLITS = ("train", "val", "test")


def folder(path: str) -> Path:
    """Returns the folder at a path that a user wrote.

    ``~`` is home. Raises ConfigError if there is no folder.
    """
    root = Path(path).expanduser()
    if not root.is_dir():
        what = "this is not a folder" if root.exists() else "there is no such folder"
        raise ConfigError(f"{path}: {what} (relative paths start at {Path.cwd()}); set it to a folder of pictures")
    return root


def pictures(path: str, options: ListedOptions) -> dict[str, str]:
    """Returns key -> name of a folder's pictures, both as relative POSIX paths, sorted; skips hidden files and folders.

    A key is the name as text: a byte that is not UTF-8 reads %XX. Raises ConfigError if there is no picture, or if two
    have one key.
    """
    names = [p.as_posix() for p in find_pictures(folder(path), options.pattern, options.recursive)]
    if not names:
        where = "in it or its subfolders" if options.recursive else "in it (subfolders are not read)"
        raise ConfigError(f"{path}: there is no picture {where} whose name matches '{options.pattern}'")
    found = {printable(name): name for name in names}
    if len(found) < len(names):
        twice = next(name for name in names if found[printable(name)] != name)
        raise ConfigError(f"{path}: two pictures read '{printable(twice)}', one of them not in UTF-8; rename it")
    return found


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
        raise ConfigError(
            f"{file}: these keys have no picture in the data set: {some(unknown)}; "
            f"its keys are written like '{keys[0]}'"
        )
    return sorted(lines)
