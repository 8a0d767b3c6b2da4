"""An evaluation in several processes finds what one finds, to the bit, and ends with a sentence if it cannot."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from PIL import Image

PLUGIN = """
import json
import os
import time
from pathlib import Path
import torch
from texprior.errors import ImageError
from texprior.plugin import Metric, hookimpl

@hookimpl
def texprior_metrics():
    return [Metric("awkward", "awkward_plugin:Awkward", better="higher", reference=False)]

class Awkward:
    key = "awkward"

    def __init__(self, options): pass

    def __call__(self, image, reference):
        how = os.environ["AWKWARD"]
        # the fourth picture is the only one with a green corner
        red, green, _ = image[0, :, :4, :4].mean((1, 2))
        if green > 0.8 and red < 0.2:
            if how == "killed":
                os.kill(os.getpid(), 9)
            if how == "wrong":
                raise ValueError("nonsense")
            if how == "slow":
                Path(os.environ["AWKWARD_FILE"]).write_text(str(os.getpid()))
                time.sleep(600)
        return torch.zeros(len(image))
"""


@pytest.fixture(scope="module")
def folder(pictures, tmp_path_factory):
    """Seven pictures of four sizes; the third is broken, the fourth has a green corner."""
    folder = tmp_path_factory.mktemp("seven")
    for n in range(7):
        with Image.open(sorted((pictures / "val").iterdir())[n % 2]) as image:
            pixels = np.asarray(image.convert("RGB").crop((0, 0, 64 + 8 * (n % 4), 64))).copy()
        if n == 3:
            pixels[:16, :16] = 0, 255, 0
        Image.fromarray(pixels).save(folder / f"{n}.png")
    (folder / "2.png").write_bytes((folder / "2.png").read_bytes()[:900])
    return folder


def arguments(study, folder, out, *more):
    seven = (f"data.val.folder.path={folder}", "metrics=[psnr, kernel_distance_mobilenet_v2]", "events=[]")
    sets = [part for setting in seven for part in ("--set", setting)]
    asked = ["--split", "val", "--steps", "1,2", "--texture-strengths", "0,1", "--controls"]
    return ["evaluate", study.file, "--model", study.model, *sets, *asked, "-o", out, "--json", *more]


@pytest.fixture(scope="module")
def alone(texprior, study, folder, tmp_path_factory):
    """What one process finds: its answer and its folder."""
    out = tmp_path_factory.mktemp("alone")
    answer = texprior(*arguments(study, folder, out))
    assert answer.code == 1, answer.err
    assert set(answer.json["broken"]) == {"2.png"}
    assert answer.json["metrics"]["restored 2 calls w 1"]["psnr_rgb"]["pictures"] == 6
    return answer, out


def assert_equal(answer, out, alone):
    first, folder = alone
    assert (out / "scores.csv").read_bytes() == (folder / "scores.csv").read_bytes()
    assert (out / "sheet.png").read_bytes() == (folder / "sheet.png").read_bytes()
    for name in ("metrics", "against_predictor", "broken", "better"):
        assert answer[name] == first.json[name]


def test_workers_find_what_one_process_finds(texprior, in_study, folder, alone, tmp_path):
    answer = texprior(*arguments(in_study, folder, tmp_path / "out", "--workers", 2))
    assert answer.code == 1, answer.err
    assert answer.err.count("left out of the evaluation: ") == 1
    assert_equal(answer.json, tmp_path / "out", alone)


def torchrun(processes, asked):
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    command = [*launcher, "-m", "texprior", *map(str, asked)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)


def test_processes_of_torchrun_find_what_one_process_finds(in_study, folder, alone, tmp_path):
    """Three processes share seven pictures, so one of them has more than the others."""
    done = torchrun(3, arguments(in_study, folder, tmp_path / "out"))
    assert done.stdout, done.stderr
    assert done.stderr.count("left out of the evaluation: ") == 1
    assert "internal error" not in done.stderr
    assert_equal(json.loads(done.stdout), tmp_path / "out", alone)


@pytest.fixture(scope="module")
def plugin(tmp_path_factory):
    plugin = tmp_path_factory.mktemp("plugin") / "awkward_plugin.py"
    plugin.write_text(PLUGIN)
    return plugin


@pytest.fixture
def awkward(in_study, folder, plugin, tmp_path, monkeypatch):
    """The arguments of a short evaluation in two processes, one of which meets what AWKWARD says."""
    out = tmp_path / "out"
    monkeypatch.setenv("AWKWARD_FILE", str(tmp_path / "met"))
    settings = (f"data.val.folder.path={folder}", "metrics=[awkward]", "events=[]", "sampling.steps=1")
    sets = [part for setting in settings for part in ("--set", setting)]
    where = ["--plugin", plugin, "--split", "val", "--workers", 2, "-o", out]
    return ["evaluate", in_study.file, "--model", in_study.model, *sets, *where]


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        (
            "killed",
            "one of 2 processes that restore pictures was killed, perhaps for lack of memory; nothing was written",
        ),
        ("wrong", "ValueError: nonsense"),
    ],
)
def test_a_process_that_fails_ends_the_evaluation_with_a_sentence(texprior, awkward, monkeypatch, how, sentence):
    monkeypatch.setenv("AWKWARD", how)
    answer = texprior(*awkward)
    assert (answer.code, answer.out) == (1, "")
    assert sentence in answer.err
    assert "internal error" not in answer.err
    assert not list(awkward[-1].iterdir())


def test_a_process_of_torchrun_that_fails_ends_all_with_its_error(awkward, monkeypatch):
    """The second process gets the fourth picture; the first one must not wait for it."""
    monkeypatch.setenv("AWKWARD", "wrong")
    one = [part for part in awkward if part not in ("--workers", 2)]
    done = torchrun(2, one)
    assert done.returncode != 0
    assert not done.stdout
    assert "error: process 2 of 2 failed: ValueError: nonsense" in done.stderr
    assert "internal error" not in done.stderr
    assert not list(awkward[-1].iterdir())


def test_ctrl_c_ends_the_processes(texprior, awkward, monkeypatch, tmp_path):
    monkeypatch.setenv("AWKWARD", "slow")
    met = tmp_path / "met"

    def press():
        while not (met.exists() and met.read_text()):
            time.sleep(0.05)
        os.kill(os.getpid(), signal.SIGINT)

    # a test run in the background of a shell ignores the signal, and would wait
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=press, daemon=True).start()
    try:
        answer = texprior(*awkward)
    finally:
        signal.signal(signal.SIGINT, handler)
    assert (answer.code, answer.out) == (130, ""), answer.err
    with pytest.raises(ProcessLookupError):
        os.kill(int(met.read_text()), 0)
