"""``texprior app``: a server for this machine alone, and a sentence if it cannot start."""

import os
import signal
import socket
import subprocess
import sys
from urllib.request import ProxyHandler, build_opener

import pytest
from PIL import Image

STARTED = """
import sys

def hook(event, arguments):
    if event == "socket.connect":
        print("connects to", arguments[1], file=sys.stderr, flush=True)
    if event in ("socket.getaddrinfo", "socket.gethostbyname"):
        print("asks for", arguments[0], file=sys.stderr, flush=True)

sys.addaudithook(hook)
from texprior.cli import main
sys.exit(main(sys.argv[1:]))
"""


def free():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "grey.png"
    Image.new("RGB", (32, 32), "grey").save(path)
    return path


def test_without_the_extra_it_says_what_to_install(texprior, monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    answer = texprior("app", "--task", "defocus")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == "error: gradio is not installed; pip install 'texprior[app]'\n"


def test_a_gradio_that_does_not_load_is_named_with_its_reason(texprior, monkeypatch, tmp_path):
    (tmp_path / "gradio.py").write_text("import a_part_that_is_missing\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "gradio", raising=False)
    answer = texprior("app", "--task", "defocus")
    assert answer.code == 2
    assert "gradio cannot be imported (No module named 'a_part_that_is_missing')" in answer.err


@pytest.fixture
def gradio():
    return pytest.importorskip("gradio", reason="gradio is not installed; pip install 'texprior[app]'")


@pytest.mark.parametrize(
    ("arguments", "code", "fragment"),
    [
        (["app"], 2, "name the model by one of --model FOLDER and --task NAME"),
        (["app", "--task", "fog"], 2, "texprior ships no model for the task 'fog'"),
        (["app", "{broken}", "--task", "defocus"], 1, "broken.png: this is not a picture that can be read"),
        (["app", "{picture}", "--task", "defocus", "--max-megapixels", "0.001"], 1, "and the page takes 0.001"),
        (["app", "--task", "defocus", "--set", "seed=1"], 2, "a trained model cannot be changed"),
        (["app", "--task", "defocus", "--port", "{busy}"], 2, "of 127.0.0.1 cannot be used"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_served(texprior, gradio, picture, arguments, code, fragment):
    broken = picture.with_name("broken.png")
    broken.write_bytes(b"no picture")
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        named = {"broken": broken, "picture": picture, "busy": other.getsockname()[1]}
        port = [] if "--port" in arguments else ["--port", free()]
        answer = texprior(*(argument.format(**named) for argument in arguments), *port)
    assert (answer.code, answer.out) == (code, "")
    assert fragment in answer.err


def test_it_serves_this_machine_asks_nobody_and_ends_quietly(gradio, picture, tmp_path):
    port, environment = free(), os.environ | {"TMPDIR": str(tmp_path)}
    command = [sys.executable, "-c", STARTED, "app", str(picture), "--task", "defocus", "--port", str(port)]
    # Ctrl-C is heard even where the tests run in the background of a shell, which ignores it
    how = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL), "env": environment, "text": True}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **how)
    try:
        assert process.stdout.readline() == f"http://127.0.0.1:{port}\n"
        with build_opener(ProxyHandler({})).open(f"http://127.0.0.1:{port}", timeout=180) as answer:
            assert b"grey.png" in answer.read()
        with socket.socket() as probe, pytest.raises(OSError, match="refused"):
            probe.connect(("127.0.0.2", port))  # it listens at one address
        assert list(tmp_path.glob("texprior-app-*"))
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=180)
    finally:
        process.kill()
    assert (process.returncode, err) == (0, "")
    assert list(tmp_path.glob("texprior-app-*")) == []
