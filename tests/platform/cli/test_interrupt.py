"""Ctrl-C while a training runs: saved, a sentence, exit 130; the same command goes on. And the server of the UI."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from urllib.request import urlopen

import pytest
from safetensors import safe_open


def start(*arguments, **more):
    """A command that hears Ctrl-C even where the tests run in the background of a shell, which ignores it."""
    command = [sys.executable, "-m", "texprior", *map(str, arguments)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL), **pipes, **more)


def wait_for(condition, process, seconds=120):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    raise AssertionError("it did not happen in time")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_an_interrupted_training_is_saved_and_goes_on(texprior, write, runs):
    often = ["--set", "training.prior.checkpoint_every_s=0.05", "--set", "training.prior.budget.images=1000000"]
    process = start("prior", write(), *often, "--json")
    wait_for(lambda: list(runs.glob("tiny/*/checkpoint.safetensors")), process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=180)
    assert process.returncode == 130, err
    assert out == ""
    assert "Traceback" not in err
    seen = int(re.search(r"interrupted after (\d+) of 1000000 images", err).group(1))
    assert "the same command continues from there" in err
    (checkpoint,) = runs.glob("tiny/*/checkpoint.safetensors")
    with safe_open(checkpoint, "pt") as file:
        assert json.loads(file.metadata()["texprior"])["images_seen"] == seen

    # a budget that ends sixteen images later continues the same trajectory
    images = f"training.prior.budget.images={seen + 16}"
    answer = texprior("prior", write(), *often[:2], "--set", images, "--json")
    assert answer.code == 0, answer.err
    assert f"at {seen} images" in answer.err
    with safe_open(os.path.join(answer.json["prior"], "prior.safetensors"), "pt") as file:  # noqa: PTH118
        assert json.loads(file.metadata()["texprior"])["images_seen"] == seen + 16


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


def test_checking_the_ui_of_a_server_names_its_address(texprior, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert texprior("ui", "--check").json == {"url": "http://127.0.0.1:9", "store": "http://127.0.0.1:9"}


def test_a_store_beside_the_command_is_served(study, texprior, monkeypatch):
    """MLflow's commonest address is a relative one."""
    monkeypatch.chdir(study.runs)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "sqlite:///mlflow.db")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # asked by nobody
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    answer = texprior("ui", "--port", port, "--check")
    assert (answer.code, answer.json["store"]) == (0, "sqlite:///mlflow.db"), answer.err


@pytest.mark.parametrize("options", [[], ["--check"]])
def test_a_store_without_runs_is_a_sentence(texprior, runs, options):
    answer = texprior("ui", *options)
    assert (answer.code, answer.out) == (2, "")
    assert "there are no runs yet" in answer.err
    assert not runs.exists()
