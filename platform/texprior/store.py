"""What is stored: folders of priors, predictors and models; atomic files; safetensors only, never a pickle."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from texprior.errors import ConfigError, TexpriorError

if TYPE_CHECKING:
    from torch import Tensor


def runs_root() -> Path:
    """Where training folders and the embedded stores lie: TEXPRIOR_RUNS, else ``texprior-runs`` in this folder."""
    return Path(os.environ.get("TEXPRIOR_RUNS") or "texprior-runs").resolve()


def write_atomically(path: Path, data: bytes) -> None:
    """Writes to a temporary name, syncs and renames: a kill at any instant leaves the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise TexpriorError(f"{path}: cannot be written ({error})") from None


def save_tensors(path: Path, tensors: Mapping[str, Tensor], about: Mapping[str, Any] | None = None) -> None:
    """A safetensors file with ``about`` as JSON in its header."""
    from safetensors.torch import save

    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_atomically(path, save(contiguous, {"texprior": json.dumps(dict(about or {}))}))


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and what was written beside them. Raises ConfigError where the file is missing or broken."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {}).get("texprior", "{}"))
            return {name: file.get_tensor(name) for name in file.keys()}, about  # noqa: SIM118 (no mapping)
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file") from None
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:  # torch's, where the file has just vanished
        raise ConfigError(f"{path}: these weights cannot be read ({error})") from None


def about_tensors(path: Path) -> dict[str, Any]:
    """What was written beside the tensors, without reading them. Raises ConfigError where the file cannot be read."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            about: dict[str, Any] = json.loads((file.metadata() or {}).get("texprior", "{}"))
            return about
    except (SafetensorError, OSError, ValueError, RuntimeError) as error:  # torch's, where the file has just vanished
        raise ConfigError(f"{path}: these weights cannot be read ({error})") from None


def sha256(path: Path) -> str:
    """The hash of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require_folder(folder: Path, what: str, *names: str) -> Path:
    """The folder, if it holds the files of a prior or model. Raises ConfigError with a sentence otherwise."""
    if not folder.is_dir():
        raise ConfigError(f"{what} {folder}: there is no such folder")
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise ConfigError(
            f"{what} {folder}: this is no {what} folder, or it is not finished: {', '.join(missing)} is missing"
        )
    return folder
