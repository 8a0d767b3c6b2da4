"""Keeps the structures of slow decompositions on disk, so that a filter runs once on a photograph.

A structure's key is a hash over the picture's values and all that decides the result: the filter with its version, the
text of its program, its options, the kind of device, torch's version. Files are written whole and renamed, so that any
number of processes may share the folder. A file that cannot be read counts as missing.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from texprior.errors import ConfigError, TexpriorError
from texprior.flow.decompose import Decomposer, Layers
from texprior.store import load_tensors, save_tensors

VERSION = 1
"""Of what a key is made of and how a file is laid out; another one finds none of the old files."""


SLOW = "slow"
"""The tag of decompositions that are worth a file."""


_ABANDONED_S = 3600.0


_SLACK = 0.9


log = logging.getLogger(__name__)


class StructureCache:
    """A folder of layers under hashes, bounded: beyond ``room`` bytes those go that were not used for the longest time.

    Each process counts what it writes and looks at the folder when that may fill it, so that several together may
    exceed the bound for a moment, each by a fiftieth of it.
    """

    def __init__(self, folder: Path, room: int) -> None:
        self.folder, self.room = folder, room
        self._seen: int | None = None
        self._written = 0
        self._told = False

    def get(self, key: str) -> Tensor | None:
        """The layer, or None where it is not there or cannot be read."""
        path = self._path(key)
        try:
            os.utime(path)
            return load_tensors(path)[0]["layer"]
        except (OSError, ConfigError, KeyError):
            return None

    def put(self, key: str, layer: Tensor, about: Mapping[str, Any]) -> None:
        """Writes a layer. A folder that cannot be written is named once, and the work goes on without it."""
        path = self._path(key)
        try:
            save_tensors(path, {"layer": layer}, about)
            self._written += layer.nbytes
            if self._seen is None or self._seen + self._written > self.room or self._written > self.room / 50:
                self._make_room()
        except (TexpriorError, OSError) as error:
            if not self._told:
                log.warning("structures are not kept on disk: %s", error)
            self._told = True

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.safetensors"

    def _make_room(self) -> None:
        """Looks at the folder, and empties a tenth of it where it is over-full."""
        files = sorted(_files(self.folder))
        total = sum(size for _, size, _ in files)
        goal = self.room * _SLACK if total > self.room else self.room
        for used, size, path in files:
            left_over = path.suffix == ".tmp" and time.time() - used > _ABANDONED_S
            if total > goal or left_over:
                with contextlib.suppress(OSError):  # another process was faster
                    path.unlink()
                total -= size
        self._seen, self._written = total, 0


class CachedDecomposition:
    """A decomposition whose structures are looked up before they are computed; the texture is what they leave."""

    def __init__(
        self, decomposition: Decomposer, cache: StructureCache, identity: str, about: Mapping[str, Any]
    ) -> None:
        self.decomposition, self.cache, self.identity, self.about = decomposition, cache, identity, about

    def __call__(self, image_BCHW: Tensor) -> Layers:
        if image_BCHW.dtype != torch.float32:
            return self.decomposition(image_BCHW)
        structure = torch.stack([self._structure(image) for image in image_BCHW]).to(image_BCHW.device)
        return Layers(structure, image_BCHW - structure)

    def _structure(self, image_CHW: Tensor) -> Tensor:
        key = self._key(image_CHW)
        layer = self.cache.get(key)
        if layer is None or layer.shape != image_CHW.shape or layer.dtype != torch.float32:
            layer = self.decomposition(image_CHW[None]).structure[0].cpu()
            self.cache.put(key, layer, self.about)
        return layer

    def _key(self, image: Tensor) -> str:
        digest = hashlib.sha256(f"{self.identity} {image.device.type} {tuple(image.shape)} ".encode())
        digest.update(image.detach().cpu().contiguous().numpy().data)
        return digest.hexdigest()


def _files(folder: Path) -> list[tuple[float, int, Path]]:
    """When each file was last used, its size, and where it is; files that vanish meanwhile are passed over."""
    found = []
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            if path.is_file():
                about = path.stat()
                found.append((about.st_mtime, about.st_size, path))
    return found
