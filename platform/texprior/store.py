"""Reads and writes stored files: atomically, and tensors only as safetensors, never as pickle."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from texprior.errors import ConfigError, TexpriorError

if TYPE_CHECKING:
    from torch import Tensor

SHIPPED = "shipped:"
"""What the name of a shipped model begins with, where else the path of a folder stands."""


def runs_root() -> Path:
    """Returns the folder of the training folders and the embedded stores.

    This is TEXPRIOR_RUNS, or ``texprior-runs`` in the current folder. Raises ConfigError if no folder can have this
    path.
    """
    path = Path(os.environ.get("TEXPRIOR_RUNS") or "texprior-runs")
    try:
        root = path.resolve()
        # a path that is too long is found only by looking for it
        root.exists()
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or "its links form a circle"
        raise ConfigError(f"TEXPRIOR_RUNS: {str(path)[:80]} cannot be a folder ({reason})") from None
    return root


def shipped_root() -> Path:
    """Returns the folder of the shipped models and priors."""
    return Path(str(files("texprior"))) / "shipped"


def shipped_models() -> dict[str, Path]:
    """Returns task -> folder of each shipped model, sorted by task."""
    # beside the models there are the priors
    return {file.parent.name: file.parent for file in sorted(shipped_root().glob("*/adapter.safetensors"))}


def model_of_task(task: str) -> Path:
    """Returns the folder of the shipped model for a task. Raises ConfigError if there is none."""
    found = shipped_models()
    if task not in found:
        raise ConfigError(f"texprior ships no model for the task '{task}'; the tasks are: {', '.join(found) or 'none'}")
    return found[task]


def named_folder(name: str | Path) -> Path:
    """Returns the folder of a trained model, or of its parts, that a setting or an option names.

    The name is a path, or ``shipped:TASK`` for the model that texprior ships for a task. Raises ConfigError if it
    ships none for this task.
    """
    task = str(name).removeprefix(SHIPPED)
    return Path(name) if task == str(name) else model_of_task(task)


def write_atomically(path: Path, data: bytes | Iterable[bytes]) -> None:
    """Writes a file completely or not at all; ``data`` is its content, or the parts of it.

    A kill at any time leaves either the old file or the new one. Writes to a temporary name, syncs, and renames. Raises
    TexpriorError if the file cannot be written.
    """
    # the process id keeps two processes from writing to the same temporary file
    temporary = path.with_name(f".{_short_name(path.name)}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.writelines([data] if isinstance(data, bytes) else data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):  # it may not even be there, because its folder cannot be
            temporary.unlink(missing_ok=True)
        raise TexpriorError(f"{path}: cannot be written ({error})") from None


def _short_name(name: str) -> str:
    """Returns a file's name, or a hash of it if a temporary name made of it could be too long for the file system."""
    encoded = os.fsencode(name)
    return name if len(encoded) <= 200 else hashlib.sha256(encoded).hexdigest()


_ALIASES = "aliases"
"""The entry of a file's record that lists further names of its tensors."""


def save_tensors(path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, Any] | None = None) -> None:
    """Writes tensors to a safetensors file, with ``about`` as JSON in its header.

    A tensor that has several names, such as a tied weight, is written once, and the header lists its other names.
    """
    from safetensors.torch import save

    written, aliases = _without_repetition(tensors)
    # one entry, because safetensors writes several in an order that changes, and equal weights have equal files
    header = {**(about or {}), **({_ALIASES: aliases} if aliases else {})}
    write_atomically(path, save(written, {"texprior": json.dumps(header)}))


def copies(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies tensors to the memory of the CPU; tensors that are one remain one, such as a tied weight."""
    made: dict[tuple[object, ...], Tensor] = {}
    for tensor in tensors.values():
        if _place(tensor) not in made:
            made[_place(tensor)] = tensor.detach().to("cpu", copy=True)
    return {name: made[_place(tensor)] for name, tensor in tensors.items()}


def _place(tensor: Tensor) -> tuple[object, ...]:
    """Returns what two names of the same tensor have in common."""
    return tensor.device, tensor.data_ptr(), tensor.dtype, tuple(tensor.shape), tensor.stride()


def _without_repetition(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Returns the tensors in separate memory on the CPU, and further name -> name of one that is there already."""
    written: dict[str, Tensor] = {}
    name_of: dict[tuple[object, ...], str] = {}
    aliases, storages = dict[str, str](), set[int]()
    for name, tensor in tensors.items():
        if tensor.numel() and name_of.setdefault(_place(tensor), name) != name:
            aliases[name] = name_of[_place(tensor)]
            continue
        copied = tensor.detach().cpu().contiguous()
        # safetensors refuses tensors that share memory, such as two parts of one
        storage = copied.untyped_storage().data_ptr()
        written[name] = copied.clone() if copied.numel() and storage in storages else copied
        storages.add(storage)
    return written, aliases


def in_memory_order(tensor: Tensor) -> tuple[Tensor, list[int]]:
    """Returns a tensor with its axes in the order in which they lie in memory, contiguous, and that order.

    A sum over a tensor is rounded, and a convolution computes, in an order that depends on it. A picture that comes
    from elsewhere gives the same bits only if it lies in memory as it did.
    """
    strides = tensor.stride()
    order = sorted(range(tensor.dim()), key=lambda axis: -strides[axis])
    return tensor.permute(order).contiguous(), order


def as_it_lay(tensor: Tensor, order: list[int]) -> Tensor:
    """Undoes ``in_memory_order``."""
    return tensor.permute([order.index(axis) for axis in range(len(order))])


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Returns the tensors of a file and the ``about`` from its header.

    Each tensor is returned under all its names. Raises ConfigError if the file is missing or broken.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
            about = json.loads(header.get("texprior", "{}"))
            # earlier versions wrote them beside the record
            aliases = about.pop(_ALIASES, None) or json.loads(header.get("aliases", "{}"))
            found = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
            return {**found, **{alias: found[name] for alias, name in aliases.items()}}, about
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file") from None
    # torch raises RuntimeError if another process deletes the file after it was opened, and a header may be anything
    except (SafetensorError, OSError, ValueError, RuntimeError, KeyError, AttributeError) as error:
        raise ConfigError(f"{path}: these weights cannot be read ({error})") from None


def about_tensors(path: Path) -> dict[str, Any]:
    """Returns the ``about`` from a file's header, without reading the tensors.

    Raises ConfigError if the file cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            about: dict[str, Any] = json.loads((file.metadata() or {}).get("texprior", "{}"))
            about.pop(_ALIASES, None)
            return about
    # torch raises RuntimeError if another process deletes the file after it was opened
    except (SafetensorError, OSError, ValueError, RuntimeError, AttributeError) as error:
        raise ConfigError(f"{path}: these weights cannot be read ({error})") from None


def sha256(path: Path) -> str:
    """Returns the sha256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require_folder(folder: Path, what: str, *names: str) -> Path:
    """Returns the folder if it has the files of a prior or model.

    Raises ConfigError otherwise.
    """
    if not folder.is_dir():
        raise ConfigError(f"{what} {folder}: there is no such folder")
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise ConfigError(
            f"{what} {folder}: this is no {what} folder, or it is not finished: {', '.join(missing)} is missing"
        )
    return folder
