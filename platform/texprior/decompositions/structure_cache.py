"""Keeps what is derived from photographs on disk: structures, codes, estimates and degraded versions.

A component then works only once on a photograph, also for the next training, trial or arm.

A result's key is a hash of the picture's values and of everything that decides the result: the component, its program
(see ``runtime.program``), its options and weights, the device and its arithmetic, and torch's version. A file is
written completely and then renamed, so that several processes can share the folder. A file that cannot be read counts
as missing.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from texprior.errors import ConfigError, TexpriorError
from texprior.flow.decompose import Decomposer, Layers, decompose
from texprior.plugin.origin import share_origin
from texprior.store import as_it_lay, in_memory_order, load_tensors, save_tensors

VERSION = 3
"""Version of the keys and of the file format. After a change of this number, no old file is found."""


_ABANDONED_S = 3600.0
"""Age after which a temporary file is deleted: a younger one may still be being written."""


_SLACK = 0.9
"""Share of the room that remains in use after deleting, so that not every new file has to delete an old one."""


log = logging.getLogger(__name__)


class StructureCache:
    """A folder of tensors, named by hashes and limited to ``room`` bytes.

    If the folder is full, the files that were not used for the longest time are deleted, but none that was used since
    this object was made: a training that derives more than fits would otherwise delete what its next epoch reads. What
    then does not fit is not kept. Each process counts the bytes that it writes, and scans the folder only if these may
    fill it. Therefore several processes together can exceed the limit for a short time, each by a fiftieth of it.
    """

    def __init__(self, folder: Path, room: int) -> None:
        self.folder, self.room = folder, room
        # a file system may store times in whole seconds
        self.since = time.time() - 1
        self._seen: int | None = None
        self._written = 0
        self._told = self._full = False

    def get(self, key: str) -> Tensor | None:
        """Returns the tensor, memory-mapped, or None if it is missing or cannot be read."""
        path = self._path(key)
        try:
            # the time of change is the time of last use, by which old files are deleted
            os.utime(path)
            tensors, about = load_tensors(path)
            return as_it_lay(tensors["layer"], about["order"])
        except (OSError, ConfigError, KeyError):
            return None

    def put(self, key: str, layer: Tensor, about: Mapping[str, Any]) -> None:
        """Writes a tensor, if it fits. If the folder cannot be written, warns once and continues without it."""
        try:
            if self._fits(layer.nbytes):
                lying, order = in_memory_order(layer)
                save_tensors(self._path(key), {"layer": lying}, {**about, "order": order})
                self._written += layer.nbytes
        except (TexpriorError, OSError) as error:
            if not self._told:
                log.warning("what is derived from photographs is not kept on disk: %s", error)
            self._told = True

    def _fits(self, size: int) -> bool:
        if self._full or size > self.room:
            return False
        # scan the folder rarely: at the first write, if it may be full, or after a fiftieth of the room
        if self._seen is None or self._written > self.room / 50 or self._seen + self._written + size > self.room:
            self._seen, self._written = self._make_room(size), 0
            self._full = self._seen + size > self.room
        return not self._full

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.safetensors"

    def _make_room(self, size: int) -> int:
        """Scans the folder and returns the bytes in it.

        If ``size`` more do not fit, deletes the oldest files until they do and a tenth of the room is free.
        """
        files = sorted(_files(self.folder))
        total = sum(size for _, size, _ in files)
        goal = self.room * _SLACK if total + size > self.room else self.room
        for used, own, path in files:
            left_over = path.suffix == ".tmp" and time.time() - used > _ABANDONED_S
            if (total + size > goal and used < self.since) or left_over:
                # another process may have deleted it first
                with contextlib.suppress(OSError):
                    path.unlink()
                total -= own
        return total


class Lookup:
    """Looks on disk for what a component makes of a picture, before the component makes it.

    ``identity`` is all that decides the result besides the picture and the number of threads.
    """

    def __init__(self, cache: StructureCache, identity: str, about: Mapping[str, Any]) -> None:
        self.cache, self.identity, self.about = cache, identity, about

    def each(self, image_BCHW: Tensor, make: Callable[[Tensor], Tensor]) -> Tensor:
        """Returns what ``make`` makes of a batch, picture by picture.

        What is no float32 tensor with one entry for each picture is returned as it is, and not kept.
        """
        # the disk keeps float32 only: float64 would lose digits, and bfloat16 would change its type
        if image_BCHW.dtype != torch.float32:
            return make(image_BCHW)
        found = [self.one(image, partial(make, image[None])) for image in image_BCHW]
        right = all(_is_float32(one) and one.dim() and len(one) == 1 for one in found)
        # a single one is not copied, because a copy may lie in memory in another order
        if len(found) == 1:
            return found[0].to(image_BCHW.device) if right else found[0]
        return torch.cat(found).to(image_BCHW.device) if right else make(image_BCHW)

    def one(self, image_CHW: Tensor, make: Callable[[], Tensor], key: str = "") -> Tensor:
        """Returns what is made of a picture; ``key`` is what else decides it."""
        name = self._key(image_CHW, key)
        found = self.cache.get(name)
        if found is not None:
            return found
        made = make()
        # a result that breaks the contract goes to the caller, who refuses it
        if _is_float32(made):
            self.cache.put(name, made.detach().cpu(), self.about)
        return made

    def _key(self, image: Tensor, key: str) -> str:
        lying, order = in_memory_order(image.detach().cpu())
        about = f"{self.identity} {image.device.type} {tuple(image.shape)} {order} {torch.get_num_threads()} {key} "
        digest = hashlib.sha256(about.encode())
        digest.update(lying.numpy().data)
        return digest.hexdigest()


class CachedDecomposition:
    """A decomposition that looks up structures on disk before it computes them.

    The texture is the picture minus the structure.
    """

    def __init__(self, decomposition: Decomposer, lookup: Lookup) -> None:
        self.decomposition, self.lookup = decomposition, lookup
        share_origin(self, decomposition)

    def __call__(self, image_BCHW: Tensor) -> Layers:
        if image_BCHW.dtype != torch.float32:
            return decompose(image_BCHW, self.decomposition)
        structure = self.lookup.each(image_BCHW, lambda image: decompose(image, self.decomposition).structure)
        return Layers(structure, image_BCHW - structure)


def _is_float32(made: object) -> bool:
    return isinstance(made, Tensor) and made.dtype == torch.float32


def _files(folder: Path) -> list[tuple[float, int, Path]]:
    """Returns the time of last use, size and path of each file; ignores files that disappear during the scan."""
    found = []
    for path in folder.rglob("*"):
        with contextlib.suppress(OSError):
            if path.is_file():
                about = path.stat()
                found.append((about.st_mtime, about.st_size, path))
    return found
