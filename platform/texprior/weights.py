"""Third-party parameters: found by the hash of their content, packaged, in TEXPRIOR_WEIGHTS or in the cache.

Nothing is fetched unless a user names it, and then only by pinned hash. No pickle runs: an official ``.pth`` is read
by torch's restricted loader while it is imported, and kept as safetensors.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from texprior.errors import ConfigError, TexpriorError
from texprior.plugin import Weights

if TYPE_CHECKING:
    from torch import Tensor


def folders() -> list[Path]:
    """Where parameters are looked for: TEXPRIOR_WEIGHTS (several, separated as in PATH), then the cache."""
    named = [Path(p) for p in os.environ.get("TEXPRIOR_WEIGHTS", "").split(os.pathsep) if p]
    return [*named, cache()]


def cache() -> Path:
    """The cache folder, under XDG_CACHE_HOME or ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME", "") or Path.home() / ".cache") / "texprior" / "weights"


def load(weights: Weights) -> dict[str, Tensor]:
    """The tensors, as stored. Raises ConfigError with a sentence that says where they come from."""
    path = locate(weights)
    if path is None:
        raise ConfigError(
            f"the parameters '{weights.name}' are not here (content hash {weights.tensors_sha256[:16]}...); they come "
            f"from {weights.origin}. Get them with 'texprior weights fetch {weights.name}' or "
            f"'texprior weights import {weights.name} FILE'; looked in {', '.join(map(str, folders()))}"
        )
    tensors = read(path)
    if content_hash(tensors) != weights.tensors_sha256:
        raise TexpriorError(f"{path}: its content is not that of '{weights.name}'; remove the file and import it again")
    return tensors


def locate(weights: Weights) -> Path | None:
    """The file that should hold the parameters, or None."""
    if weights.packaged:
        package, _, relative = weights.packaged.partition(":")
        packaged = Path(str(files(package))) / relative
        if packaged.is_file():
            return packaged
    candidates = [folder / f"{weights.name}.safetensors" for folder in folders()]
    return next((path for path in candidates if path.is_file()), None)


def read(path: Path) -> dict[str, Tensor]:
    """Tensors of a .safetensors file, or of an official .pth through torch's restricted loader."""
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        import torch

        loaded = _innermost(torch.load(path, map_location="cpu", weights_only=True))
        return {k: v.contiguous() for k, v in loaded.items() if isinstance(v, torch.Tensor)}
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no such file") from None
    except Exception as error:  # safetensors and torch raise many kinds for a broken file
        raise TexpriorError(f"{path}: these parameters cannot be read ({error})") from None


def _innermost(loaded: Any) -> Any:
    """The mapping of tensors inside what training frameworks put around it, the averaged weights first."""
    for name in ("params_ema", "params", "model_ema", "model", "state_dict"):
        if isinstance(loaded, Mapping) and isinstance(loaded.get(name), Mapping):
            return _innermost(loaded[name])
    return loaded


def named(name: str) -> Path:
    """A file that a user names: by its path (~ is home), or by its name in one of the folders.

    Raises ConfigError where there is none.
    """
    path = Path(name).expanduser()
    places = [path] if path.is_absolute() or path.parent != Path() else [path, *(f / path for f in folders())]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise ConfigError(f"there is no file {name}; looked for {', '.join(map(str, places))}")
    return found


def content_hash(tensors: Mapping[str, Tensor]) -> str:
    """sha256 over names, dtypes, shapes and bytes in the order of names: the same in any container."""
    import torch

    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}|{tensor.dtype}|{tuple(tensor.shape)}|".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def install(weights: Weights, source: Path) -> Path:
    """Copies parameters into the cache as safetensors if their content is right. Returns the file."""
    from safetensors.torch import save_file

    tensors = read(source)
    if content_hash(tensors) != weights.tensors_sha256:
        raise TexpriorError(
            f"{source}: its content is not that of '{weights.name}' ({weights.origin}); nothing was kept"
        )
    target = cache() / f"{weights.name}.safetensors"
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    save_file(dict(tensors), temporary)
    temporary.replace(target)
    return target
