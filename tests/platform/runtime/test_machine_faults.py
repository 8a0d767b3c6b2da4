"""Faults of the machine: found through whatever hides them, and told from faults of the work."""

import errno
import os
import sqlite3
import subprocess

import pytest

from texprior.errors import MachineFault, TexpriorError
from texprior.runtime.machine_faults import find_machine_fault, name_machine_faults
from texprior.store import write_atomically


def hidden(error):
    """A TexpriorError that hides what it was raised from, as most of them do."""
    try:
        try:
            raise error
        except OSError:
            raise TexpriorError("the file cannot be written") from None
    except TexpriorError as hiding:
        return hiding


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "the disk is full ([Errno 28] No space left on device);"),
        (OSError(errno.EROFS, "Read-only"), "the disk can only be read"),
        (hidden(OSError(errno.EDQUOT, "Quota")), "the quota of the disk is used up"),
        (sqlite3.OperationalError("database or disk is full"), "the disk is full (database or disk is full);"),
        (
            RuntimeError("CUDA error: device-side assert triggered\nand more"),
            "(CUDA error: device-side assert triggered)",
        ),
    ],
)
def test_a_fault_of_the_machine_is_said(error, words):
    with pytest.raises(MachineFault) as caught, name_machine_faults():
        raise error
    assert words in str(caught.value)
    assert caught.value.device == ("CUDA" in words)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOENT, "No such file"),
        MemoryError(),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        ValueError("an unknown error of a plugin"),
    ],
)
def test_a_fault_of_the_work_stays_what_it_is(error):
    assert find_machine_fault(error) is None
    with pytest.raises(type(error)) as caught, name_machine_faults():
        raise error
    assert caught.value is error


@pytest.mark.skipif(os.name != "posix", reason="limits of a process as POSIX has them")
def test_a_real_full_disk_is_found(tmp_path):
    """A file system of 64 kB, where root may mount one."""
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", tmp_path], capture_output=True)
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        with pytest.raises(MachineFault, match=r"^the disk is full"), name_machine_faults():
            write_atomically(tmp_path / "weights", bytes(1_000_000))
    finally:
        subprocess.run(["umount", tmp_path], check=True)
