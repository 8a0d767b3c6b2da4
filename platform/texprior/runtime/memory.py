"""Says how much memory a device has for this process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

_ROOT = Path("/")


def device_memory(device: torch.device) -> int | None:
    """Returns the bytes of a GPU's memory, or of the memory that this process may use; None if that is not known."""
    import torch

    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[1])
    return process_memory()


def process_memory(root: Path = _ROOT) -> int | None:
    """Returns the bytes of memory that this process may use; None if the system does not say.

    This is the memory of the machine, or less if a control group has a limit, as in a container or a batch job.
    ``root`` is the folder of ``proc`` and ``sys``.
    """
    found = list(_group_limits(root))
    # not on Windows
    with suppress(AttributeError, ValueError, OSError):
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return min(found, default=None)


def _group_limits(root: Path) -> Iterator[int]:
    """Yields the limits of the process's control groups and of all groups above them, of both versions of Linux."""
    groups = root / "sys/fs/cgroup"
    with suppress(OSError):
        for line in (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines():
            _, controllers, path = line.split(":", 2)
            version_1 = "memory" in controllers.split(",")
            if controllers and not version_1:
                continue
            top, name = (groups / "memory", "memory.limit_in_bytes") if version_1 else (groups, "memory.max")
            own = top / path.lstrip("/")
            # in a container the path may be that of the machine, and only the top is there
            for group in (own, *own.parents):
                if group.is_relative_to(top):
                    yield from _limit_in(group / name)


def _limit_in(file: Path) -> Iterator[int]:
    # the file is missing at the root, and has the word max if there is no limit
    with suppress(OSError, ValueError):
        yield int(file.read_text(encoding="utf-8"))
