"""Processes are known by host and id; a worker that fails is named with how it ended."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from texprior.errors import ConfigError
from texprior.processes import (
    is_here,
    is_running,
    run_processes,
    this_process,
    usable_cpus,
    worker_threads,
)


def test_this_process_runs_and_one_that_ended_does_not():
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    assert is_running(this_process())
    assert not is_running({**this_process(), "pid": child.pid})


def test_a_process_of_another_host_is_not_known_here():
    elsewhere = {"host": "elsewhere.invalid", "pid": os.getpid()}
    assert (is_here(this_process()), is_here(elsewhere), is_running(elsewhere)) == (True, False, False)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only /proc tells when a process started")
def test_a_number_that_is_used_again_is_another_process():
    here = this_process()
    assert not is_running({**here, "started": "1"})
    assert not is_here({**here, "boot": "another boot, or another container"})
    # what earlier versions wrote has only host and number
    assert is_running({"host": here["host"], "pid": here["pid"]})


def test_a_process_that_ended_does_not_run_though_its_parent_has_not_asked():
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not is_running({"host": this_process()["host"], "pid": child.pid})
    child.wait()


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


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity of processes")
def test_workers_share_the_processors_that_the_process_may_use():
    """As a batch system does that gives 1 of many processors."""
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert usable_cpus() == 1
        assert worker_threads(None, 2) == 1
    finally:
        os.sched_setaffinity(0, before)
    assert worker_threads(None, 1) == len(before)
    assert worker_threads(3, 2) == 3


@pytest.mark.parametrize("given", [None, "ACTIVE"])
def test_waiting_threads_sleep_unless_the_user_chose(given):
    environment = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"}
    environment |= {"OMP_WAIT_POLICY": given} if given else {}
    code = (
        "import os, sys; from texprior.cli import main; main(['--version']); "
        "print(os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == f"{given or 'PASSIVE'} False"
