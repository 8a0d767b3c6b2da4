"""Claims: held by one process at a time, and free again when it is killed."""

import errno
import fcntl
import signal
import subprocess
import sys

import pytest

from texprior.errors import ConfigError
from texprior.locks import hold_lock, is_locked, try_lock

HOLD = """
import sys, time
from pathlib import Path
from texprior.locks import try_lock
with try_lock(Path(sys.argv[1])) as held:
    print(held, flush=True)
    time.sleep(600)
"""


def test_a_claim_is_had_once_and_ends_with_its_process(tmp_path):
    path = tmp_path / "locks" / "cell.lock"
    assert not is_locked(path)
    other = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout.readline() == "True\n"
        assert is_locked(path)
        with try_lock(path) as held:
            assert not held
    finally:
        other.send_signal(signal.SIGKILL)
        other.communicate(timeout=60)
    assert not is_locked(path)
    with try_lock(path) as held:
        assert held
        assert is_locked(path)  # asking does not take it away
        assert is_locked(path)
    with hold_lock(path):
        assert is_locked(path)
    assert not is_locked(path)


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK])
@pytest.mark.parametrize("lock", [try_lock, hold_lock])
def test_a_file_system_without_locks_is_a_sentence_and_no_marker_file(tmp_path, monkeypatch, lock, number):
    """The kernel here gives locks to every file system, so only its answer can be put in."""

    def flock(_descriptor, _operation):
        raise OSError(number, "the kernel's words")

    monkeypatch.setattr(fcntl, "flock", flock)
    path = tmp_path / "locks" / "cell.lock"
    with pytest.raises(ConfigError) as caught, lock(path):
        pytest.fail("the work began without a lock")
    assert str(caught.value).startswith(f"{path}: its file system has no file locks (the kernel's words)")
    assert "TEXPRIOR_RUNS" in str(caught.value)


def test_a_lock_that_cannot_be_written_is_a_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="this lock cannot be taken"), try_lock(tmp_path / "file" / "cell.lock"):
        pytest.fail("the work began without a lock")


def test_a_lock_may_be_named_by_more_than_a_file_system_allows(tmp_path):
    paths = [tmp_path / f"{'a' * 300}{end}.lock" for end in "xy"]
    with hold_lock(paths[0]):
        assert is_locked(paths[0])
        with try_lock(paths[0]) as again, try_lock(paths[1]) as other:
            assert (again, other) == (False, True)
    assert not is_locked(paths[0])
