"""Runs a server and ends it with the process that started it, even if that process is killed.

Usage: ``python -m texprior.cli.keeper SECONDS COMMAND...``, as the leader of a process group, with a pipe on stdin that
nobody writes to. The pipe closes when the other process ends, in whatever way, on every system that has pipes.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence


def keep_server(command: Sequence[str], end_s: float) -> int:
    """Runs a command until it ends, or until stdin closes; returns its exit code.

    When stdin closes, the whole process group is asked to end by SIGTERM, and ``end_s`` seconds later it is killed.
    """
    # This process is in the group too, and must outlive the first signal to send the second one.
    signal.signal(signal.SIGTERM, lambda _number, _frame: None)
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    threading.Thread(target=_end_when_alone, args=(server, end_s), daemon=True).start()
    return server.wait()


def _end_when_alone(server: subprocess.Popen[bytes], end_s: float) -> None:
    # An unbuffered read: this thread must not hold the lock of ``sys.stdin`` when the interpreter ends.
    while os.read(0, 1):
        pass
    os.killpg(0, signal.SIGTERM)
    try:
        server.wait(end_s)
    except subprocess.TimeoutExpired:
        os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(keep_server(sys.argv[2:], float(sys.argv[1])))
