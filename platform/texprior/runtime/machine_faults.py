"""Tells a fault of the machine, such as a full disk, from a fault of the work. Imports no torch."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from texprior.errors import MachineFault

_DISK = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the quota of the disk is used up",
    errno.EROFS: "the disk can only be read",
}
_DISK_TEXTS = {"database or disk is full": "the disk is full", "readonly database": "the disk can only be read"}
"""SQLite's words for the same, which come without a number."""
_DEVICE_TEXTS = (
    "device-side assert",
    "illegal memory access",
    "unspecified launch failure",
    "misaligned address",
    "illegal instruction",
    "uncorrectable",
    "no cuda-capable device",
    "busy or unavailable",
    "launch timed out",
    "context is destroyed",
    "unknown error",
)
"""Words of a CUDA or HIP error after which a process can do nothing more on its device; lack of memory is none."""


@contextmanager
def name_machine_faults() -> Iterator[None]:
    """Raises MachineFault with a sentence for an exception that comes from a fault of the machine."""
    try:
        yield
    except MachineFault:
        raise
    except Exception as error:
        fault = find_machine_fault(error)
        if fault is None:
            raise
        raise fault from error


def find_machine_fault(error: BaseException) -> MachineFault | None:
    """Returns the fault of the machine that an exception comes from; None if it comes from none."""
    for one in _causes(error):
        what = _DISK.get(one.errno or 0, "") if isinstance(one, OSError) else ""
        what = what or next((said for text, said in _DISK_TEXTS.items() if text in str(one)), "")
        if what:
            return MachineFault(f"{what} ({one}); make room, then run the same command again to continue")
        if _is_lost_device(one):
            fault = MachineFault(
                f"the device was lost ({str(one).splitlines()[0]}); run the same command again to continue"
            )
            fault.device = True
            return fault
    return None


def _is_lost_device(error: BaseException) -> bool:
    text = str(error).lower()
    return ("cuda error" in text or "hip error" in text) and any(words in text for words in _DEVICE_TEXTS)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and all that it was raised from, also if ``from None`` hides them from a traceback."""
    seen: set[int] = set()
    waiting: list[BaseException | None] = [error]
    while waiting:
        one = waiting.pop(0)
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting += [one.__cause__, one.__context__]
