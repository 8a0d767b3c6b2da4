"""Lists the digests of a folder's files, and compares the files with the list.

The list has the form of sha256sum, so that any machine can check it: ``sha256sum --check SHA256SUMS``.
"""

from __future__ import annotations

from pathlib import Path

from texprior.errors import ConfigError, TexpriorError
from texprior.store import sha256, write_atomically

LIST = "SHA256SUMS"


def write_checksums(folder: Path) -> None:
    """Writes the digests of all files that are directly in a folder."""
    names = sorted(path.name for path in folder.iterdir() if path.is_file() and path.name != LIST)
    write_atomically(folder / LIST, "".join(f"{sha256(folder / name)}  {name}\n" for name in names).encode())


def read_checksums(folder: Path) -> dict[str, str]:
    """Returns file -> sha256, as a folder lists them; empty if it has no list. Raises ConfigError."""
    path = folder / LIST
    if not path.is_file():
        return {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error})") from None
    found = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    # a name with a folder in it would lead out of the folder
    if not found or any(not name or Path(name).name != name for name in found):
        raise ConfigError(f"{path}: this is no list of digests; export the model again")
    return found


def changed_files(folder: Path) -> list[str]:
    """Lists the files of a folder that are missing or differ from its list."""
    listed = read_checksums(folder).items()
    return [name for name, digest in listed if not (folder / name).is_file() or sha256(folder / name) != digest]


def require_intact(folder: Path, *except_for: str) -> None:
    """Raises TexpriorError if a listed file is missing or differs. A folder without a list has nothing to compare."""
    if changed := [name for name in changed_files(folder) if name not in except_for]:
        raise TexpriorError(
            f"{folder}: {', '.join(changed)} changed since the export ({LIST} has another digest); export or copy the "
            "model again"
        )
