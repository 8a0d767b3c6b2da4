"""A server ends with the process that started it, however that ends."""

import signal
import subprocess
import sys

import pytest

# the server has a worker, as MLflow's has; both write to the output, which closes when the last of them has ended
SERVER = """
import os, signal, sys, time
if sys.argv[1] == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.fork()
os.write(1, b"serving\\n")
time.sleep(600)
"""
STARTER = """
import signal, subprocess, sys, time
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup, under which the tests may run, ignores it
keeper = [sys.executable, "-m", "texprior.cli.keeper", "0.2", sys.executable, "-c", sys.argv[1], sys.argv[2]]
subprocess.Popen(keeper, stdin=subprocess.PIPE, start_new_session=True)
time.sleep(600)
"""


@pytest.mark.parametrize("server", ["willing", "stubborn"])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_a_server_ends_with_its_starter(how, server):
    command = [sys.executable, "-c", STARTER, SERVER, server]
    starter = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert [starter.stdout.readline() for _ in range(2)] == ["serving\n", "serving\n"]
    starter.send_signal(how)
    assert starter.communicate(timeout=60) == ("", None)


def test_a_server_that_ends_by_itself_gives_its_code():
    command = [sys.executable, "-m", "texprior.cli.keeper", "1", sys.executable, "-c", "raise SystemExit(3)"]
    keeper = subprocess.Popen(command, stdin=subprocess.PIPE)
    assert keeper.wait(timeout=60) == 3
    keeper.communicate()
