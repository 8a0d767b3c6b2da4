"""Processes are known by host and id; a worker that fails is named with how it ended."""

import os
import signal
import subprocess
import sys

import pytest

from texprior.errors import ConfigError
from texprior.processes import is_here, is_running, run_processes, this_process


def test_this_process_runs_and_one_that_ended_does_not():
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    assert is_running(this_process())
    assert not is_running({**this_process(), "pid": child.pid})


def test_a_process_of_another_host_is_not_known_here():
    elsewhere = {"host": "elsewhere.invalid", "pid": os.getpid()}
    assert (is_here(this_process()), is_here(elsewhere), is_running(elsewhere)) == (True, False, False)


def fine():
    pass


def refused():
    raise ConfigError("no such thing")


def killed():
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_who_failed_is_named_with_how(capfd):
    ended = run_processes({"one": fine, "two": refused, "three": killed})
    assert ended == {"two": "ended with code 2", "three": "was killed by SIGKILL"}
    assert capfd.readouterr().err == "two: no such thing\n"
