"""Keeps the structures of slow decompositions on disk.

A filter then runs only once on a photograph.

A structure's key is a hash of the picture's values and of everything that decides the result: the filter, its program
(see ``runtime.program``), its options, the kind of device, and torch's version. A file is written completely and then
renamed, so that several processes can share the folder. A file that cannot be read counts as missing.
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
from texprior.flow.decompose import Decomposer, Layers, decompose
from texprior.plugin.origin import share_origin
from texprior.store import load_tensors, save_tensors

VERSION = 2
"""Version of the keys and of the file format. After a change of this number, no old file is found."""


_ABANDONED_S = 3600.0
"""Age after which a temporary file is deleted: a younger one may still be being written."""


_SLACK = 0.9
"""Share of the room that remains in use after deleting, so that not every new file has to delete an old one."""


log = logging.getLogger(__name__)


class StructureCache:
    """A folder of layers, named by hashes and limited to ``room`` bytes.

    If the folder grows beyond the limit, the layers that were not used for the longest time are deleted. Each process
    counts the bytes that it writes, and scans the folder only if these may fill it. Therefore several processes
    together can exceed the limit for a short time, each by a fiftieth of it.
    """

    def __init__(self, folder: Path, room: int) -> None:
        self.folder, self.room = folder, room
        self._seen: int | None = None
        self._written = 0
        self._told = False

    def get(self, key: str) -> Tensor | None:
        """Returns the layer, or None if it is missing or cannot be read."""
        path = self._path(key)
        try:
            # the time of change is the time of last use, by which old files are deleted
            os.utime(path)
            return load_tensors(path)[0]["layer"]
        except (OSError, ConfigError, KeyError):
            return None

    def put(self, key: str, layer: Tensor, about: Mapping[str, Any]) -> None:
        """Writes a layer. If the folder cannot be written, warns once and continues without it."""
        path = self._path(key)
        try:
            save_tensors(path, {"layer": layer}, about)
            self._written += layer.nbytes
            # scan the folder rarely: at the first write, if it may be full, or after a fiftieth of the room
            if self._seen is None or self._seen + self._written > self.room or self._written > self.room / 50:
                self._make_room()
        except (TexpriorError, OSError) as error:
            if not self._told:
                log.warning("structures are not kept on disk: %s", error)
            self._told = True

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.safetensors"

    def _make_room(self) -> None:
        """Scans the folder; if it is over-full, deletes the oldest files until a tenth of the room is free."""
        files = sorted(_files(self.folder))
        total = sum(size for _, size, _ in files)
        goal = self.room * _SLACK if total > self.room else self.room
        for used, size, path in files:
            left_over = path.suffix == ".tmp" and time.time() - used > _ABANDONED_S
            if total > goal or left_over:
                # another process may have deleted it first
                with contextlib.suppress(OSError):
                    path.unlink()
                total -= size
        self._seen, self._written = total, 0


class CachedDecomposition:
    """A decomposition that looks up structures on disk before it computes them.

    The texture is the picture minus the structure.
    """

    def __init__(
        self, decomposition: Decomposer, cache: StructureCache, identity: str, about: Mapping[str, Any]
    ) -> None:
        self.decomposition, self.cache, self.identity, self.about = decomposition, cache, identity, about
        share_origin(self, decomposition)

    def __call__(self, image_BCHW: Tensor) -> Layers:
        # the cache keeps float32 only: float64 would lose digits, and bfloat16 would change its type
        if image_BCHW.dtype != torch.float32:
            return decompose(image_BCHW, self.decomposition)
        structure = torch.stack([self._structure(image) for image in image_BCHW]).to(image_BCHW.device)
        return Layers(structure, image_BCHW - structure)

    def _structure(self, image_CHW: Tensor) -> Tensor:
        key = self._key(image_CHW)
        layer = self.cache.get(key)
        if layer is None or layer.shape != image_CHW.shape or layer.dtype != torch.float32:
            layer = decompose(image_CHW[None], self.decomposition).structure[0].cpu()
            self.cache.put(key, layer, self.about)
        return layer

    def _key(self, image: Tensor) -> str:
        digest = hashlib.sha256(f"{self.identity} {image.device.type} {tuple(image.shape)} ".encode())
        digest.update(image.detach().cpu().contiguous().numpy().data)
        return digest.hexdigest()


def _files(folder: Path) -> list[tuple[float, int, Path]]:
    """Returns the time of last use, size and path of each file; ignores files that disappear during the scan."""
    found = []
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            if path.is_file():
                about = path.stat()
                found.append((about.st_mtime, about.st_size, path))
    return found
