"""Claims: held by one process at a time, and free again when it is killed."""

import signal
import subprocess
import sys

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
