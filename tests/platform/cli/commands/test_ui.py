"""``texprior ui``: a server that answers, ends quietly, and says why it cannot start."""

import os
import signal
import socket
import subprocess
import sys
import time
from urllib.request import urlopen

import pytest

from texprior.cli.commands import ui
from texprior.cli.ui_address import ui_address


def start(*arguments, **more):
    """A command that hears Ctrl-C even where the tests run in the background of a shell, which ignores it."""
    command = [sys.executable, "-m", "texprior", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL), **pipes, **more)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_the_ui_answers_and_ends_quietly(study):
    port = free_port()
    environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"} | {
        "TEXPRIOR_RUNS": str(study.runs)
    }
    process = start("ui", "--port", port, env=environment)
    try:
        address = process.stdout.readline().strip()
        assert address == f"http://127.0.0.1:{port}"
        with urlopen(f"{address}/health", timeout=10) as answer:
            assert answer.status == 200
        busy = subprocess.run(
            [sys.executable, "-m", "texprior", "ui", "--port", str(port), "--check"],
            capture_output=True, text=True, timeout=180, env=environment,
        )  # fmt: skip
        assert (busy.returncode, busy.stdout) == (2, "")
        assert f"port {port} of 127.0.0.1 cannot be used" in busy.stderr
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=180)
    finally:
        process.kill()
    assert process.returncode == 0
    assert "Traceback" not in err
    with socket.socket() as probe:  # the server and its workers are gone
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_a_killed_ui_leaves_no_server(study):
    port = free_port()
    environment = {k: v for k, v in os.environ.items() if k != "MLFLOW_TRACKING_URI"} | {
        "TEXPRIOR_RUNS": str(study.runs)
    }
    process = start("ui", "--port", port, env=environment)
    try:
        assert process.stdout.readline().strip() == f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.communicate(timeout=180)
    end = time.monotonic() + 60
    while (answers := reached(port)) and time.monotonic() < end:
        time.sleep(0.2)
    assert not answers


def reached(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_address_of_a_server_is_shown_without_its_password(texprior, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:S3cret@127.0.0.1:9")
    found = texprior("ui", "--check")
    assert found.json == {"schema_version": 1, "url": "http://127.0.0.1:9", "store": "http://me:***@127.0.0.1:9"}
    assert "S3cret" not in found.err


def test_checking_the_ui_of_a_server_names_its_address(texprior, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    address = "http://127.0.0.1:9"
    assert texprior("ui", "--check").json == {"schema_version": 1, "url": address, "store": address}


def test_a_store_beside_the_command_is_served(study, texprior, monkeypatch):
    """MLflow's commonest address is a relative one."""
    monkeypatch.chdir(study.runs)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # asked by nobody
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # asked while the UI runs: what other commands would link to
    monkeypatch.setattr(ui, "_links", lambda url: {"linked": ui_address(f"sqlite:///{study.runs / 'mlflow.db'}")})
    answer = texprior("ui", "--port", port, "--check")
    assert (answer.code, answer.json["store"]) == (0, "sqlite:///mlflow.db"), answer.err
    assert answer.json["links"]["linked"] == answer.json["url"] == f"http://127.0.0.1:{port}"


@pytest.mark.parametrize("options", [[], ["--check"]])
def test_a_store_without_runs_is_a_sentence(texprior, runs, options):
    answer = texprior("ui", *options)
    assert (answer.code, answer.out) == (2, "")
    assert "there are no runs yet" in answer.err
    assert not runs.exists()
