"""Ctrl-C while a training runs: saved, a sentence, exit 130; the same command goes on."""

import json
import os
import re
import signal
import subprocess
import sys
import time

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


def test_an_interrupted_training_is_saved_and_goes_on(texprior, write, runs):
    often = ["--set", "training.prior.checkpoint_every_s=0.05", "--set", "training.prior.budget.images=1000000"]
    process = start("prior", write(), *often, "--json")
    wait_for(lambda: list(runs.glob("tiny/*/checkpoint.safetensors")), process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=180)
    assert process.returncode == 130, err
    assert json.loads(out)["error"]["exit_code"] == 130
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
