"""Finds third-party weights by the hash of their content.

The weights are in a package, in TEXPRIOR_WEIGHTS, or in the cache.

Weights are downloaded only if the user names them, and only with a pinned hash. No pickle runs: torch's restricted
loader reads an official ``.pth`` when it is imported, and the cache keeps it as safetensors.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from texprior.errors import ConfigError, TexpriorError
from texprior.plugin import Weights
from texprior.store import write_atomically

if TYPE_CHECKING:
    from torch import Tensor

SUFFIXES = (".safetensors", ".pth", ".pt")
"""Suffixes of the files that may contain weights; other files are ignored."""


def folders() -> list[Path]:
    """Returns the folders to search: those in TEXPRIOR_WEIGHTS (separated as in PATH), then the cache."""
    named = [Path(p) for p in os.environ.get("TEXPRIOR_WEIGHTS", "").split(os.pathsep) if p]
    return [*named, cache()]


def cache() -> Path:
    """Returns the cache folder, under XDG_CACHE_HOME or ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME", "") or Path.home() / ".cache") / "texprior" / "weights"


def load(weights: Weights) -> dict[str, Tensor]:
    """Loads the tensors of the weights.

    Raises ConfigError if there is no file; the message says where to get them. Raises TexpriorError if the file does
    not have the expected content.
    """
    path = locate(weights)
    if path is None:
        fetch = f"'texprior weights fetch {weights.name}' or " if weights.url and weights.url_sha256 else ""
        raise ConfigError(
            f"the parameters '{weights.name}' are not here (content hash {weights.tensors_sha256}); they come from "
            f"{weights.origin}. Get them with {fetch}'texprior weights import {weights.name} FILE...'; looked in "
            f"{', '.join(map(str, folders()))}"
        )
    # check again: a packaged file was not hashed, and other files may have changed since they were
    tensors = read(path)
    if content_hash(tensors) != weights.tensors_sha256:
        raise TexpriorError(f"{path}: its content is not that of '{weights.name}'; remove the file and import it again")
    return tensors


def locate(weights: Weights) -> Path | None:
    """Returns the file with the weights, under any name, or None.

    Looks only in the folders themselves, not in their subfolders.
    """
    if weights.packaged:
        package, _, relative = weights.packaged.partition(":")
        packaged = Path(str(files(package))) / relative
        if packaged.is_file():
            return packaged
    with _known_hashes() as known:
        return next((p for p in _candidates(weights.name) if known.of(p) == weights.tensors_sha256), None)


def _candidates(name: str) -> Iterator[Path]:
    """Yields files that may contain the weights; in each folder, the file with their name comes first."""
    for folder in folders():
        # a folder may be missing or unreadable; search the others
        with contextlib.suppress(OSError):
            found = [p for p in sorted(folder.iterdir()) if p.suffix in SUFFIXES and not p.name.startswith(".")]
            yield from sorted((p for p in found if p.is_file()), key=lambda p: p.stem != name)


class _Hashes:
    """Content hashes of files by path, size and time of change, so that each file is read only once."""

    def __init__(self, entries: dict[str, list[int | str]]) -> None:
        self.entries = entries
        self.changed = False

    def of(self, path: Path) -> str:
        """Returns the file's content hash; empty if the file cannot be read."""
        key, status = str(path.resolve()), path.stat()
        stamp: list[int | str] = [status.st_size, status.st_mtime_ns]
        entry = self.entries.get(key)
        if entry is None or entry[:2] != stamp:
            try:
                digest = content_hash(read(path))
            except TexpriorError:
                digest = ""
            entry = self.entries[key] = [*stamp, digest]
            self.changed = True
        return str(entry[2])


@contextlib.contextmanager
def _known_hashes() -> Iterator[_Hashes]:
    """Opens the known hashes, and saves new ones in the cache folder if it can be written.

    The file is only an index: without it, files are hashed again.
    """
    index = cache() / "index.json"

    # another version or another process may have written anything there; an unusable index is the same as none
    try:
        entries = json.loads(index.read_text(encoding="utf-8"))
        usable = isinstance(entries, dict) and all(isinstance(e, list) and len(e) == 3 for e in entries.values())
    except (OSError, ValueError):
        usable = False
    known = _Hashes(entries if usable else {})

    yield known

    if known.changed:
        with contextlib.suppress(OSError, TexpriorError):
            write_atomically(index, json.dumps(known.entries).encode())


def read(path: Path) -> dict[str, Tensor]:
    """Reads the tensors of a file of weights.

    The file is a .safetensors file, or an official .pth, which torch's restricted loader reads. Raises ConfigError if
    the file is missing and TexpriorError if it is broken.
    """
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        import torch

        loaded = _innermost(torch.load(path, map_location="cpu", weights_only=True))
        return {k: v.contiguous() for k, v in loaded.items() if isinstance(v, torch.Tensor)}
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file") from None
    # safetensors and torch raise many types of exceptions for a broken file
    except Exception as error:
        raise TexpriorError(f"{path}: these parameters cannot be read ({_short_reason(error)})") from None


def _short_reason(error: Exception) -> str:
    # torch's text is long, and advises to load the file in a way that runs the code in it
    return "it is not a file of tensors alone" if "weights_only" in str(error) else str(error)


def _innermost(loaded: object) -> Any:
    """Returns the mapping of tensors inside the mappings that training frameworks put around it."""
    # averaged weights first: a file that has both is meant to be used with the averaged ones
    for name in ("params_ema", "params", "model_ema", "model", "state_dict"):
        if isinstance(loaded, Mapping) and isinstance(loaded.get(name), Mapping):
            return _innermost(loaded[name])
    return loaded


def named(name: str) -> Path:
    """Returns a file that a user names by its path or its name.

    In a path, ~ is home. A name is looked up in the current folder, then in the folders of weights. Raises ConfigError
    if there is no such file.
    """
    path = Path(name).expanduser()
    places = [path] if path.is_absolute() or path.parent != Path() else [path, *(f / path for f in folders())]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise ConfigError(f"there is no file {name}; looked for {', '.join(map(str, places))}")
    return found


def content_hash(tensors: Mapping[str, Tensor]) -> str:
    """Returns the sha256 of names, dtypes, shapes and bytes, in the order of names.

    The hash does not depend on the file format.
    """
    import torch

    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        # as bytes, since numpy has no bfloat16
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def install(weights: Weights, sources: Sequence[Path]) -> Path:
    """Copies weights into the cache as safetensors if their content is right. Returns the file.

    Official weights may come in several files, whose tensors are joined. If their form differs from the stored one, the
    record's ``convert`` converts them. Raises TexpriorError if the content is wrong.
    """
    from safetensors.torch import save_file

    tensors = {name: tensor for source in sources for name, tensor in read(source).items()}
    if content_hash(tensors) != weights.tensors_sha256 and weights.convert:
        tensors = _converted(weights, tensors)
    if content_hash(tensors) != weights.tensors_sha256:
        names = ", ".join(map(str, sources))
        raise TexpriorError(
            f"{names}: its content is not that of '{weights.name}' ({weights.origin}); nothing was kept"
        )

    # rename a complete file, so that another process never reads half of one
    target = cache() / f"{weights.name}.safetensors"
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    save_file(dict(tensors), temporary)
    temporary.replace(target)
    return target


def _converted(weights: Weights, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    module, _, function = weights.convert.partition(":")
    converted: dict[str, Tensor] = getattr(importlib.import_module(module), function)(tensors)
    return converted
