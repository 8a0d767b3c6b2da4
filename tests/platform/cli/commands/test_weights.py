"""``texprior weights`` against a server on the loopback."""

import hashlib
import http.server
import sys
import threading

import pytest
import torch
from safetensors.torch import load_file, save_file

from texprior.weights import content_hash

PLUGIN = """
from texprior.plugin import Metric, Weights, hookimpl

WEIGHTS = (
    Weights("acme_net", {hash!r}, "MIT", "acme.example", url={url!r}, url_sha256={url_sha256!r}),
    Weights("acme_manual", {hash!r}, "MIT", "a letter to acme.example"),
)


@hookimpl
def texprior_metrics():
    return [Metric("acme", "acme_weights:Acme", weights=WEIGHTS)]
"""


@pytest.fixture
def tensors():
    return {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor([1, 2], dtype=torch.int64)}


@pytest.fixture
def served(tmp_path, tensors):
    """(folder, address) of a server that holds acme.pth."""
    folder = tmp_path / "www"
    folder.mkdir()
    torch.save(tensors, folder / "acme.pth")

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args, **more):
            super().__init__(*args, directory=str(folder), **more)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture
def plugin(tmp_path, served, tensors, monkeypatch):
    """The plugin's file; parameters are cached below this test's folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("TEXPRIOR_WEIGHTS", raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    folder, address = served
    digest = hashlib.sha256((folder / "acme.pth").read_bytes()).hexdigest()
    path = tmp_path / "acme_weights.py"
    text = PLUGIN.format(hash=content_hash(tensors), url=f"{address}/acme.pth", url_sha256=digest)
    path.write_text(text, encoding="utf-8")
    yield path
    sys.modules.pop("acme_weights", None)


def listed(texprior, plugin):
    return {w["name"]: w for w in texprior("weights", "list", "--plugin", plugin, "--json").json}


def test_fetched_parameters_are_found_and_are_what_was_pinned(texprior, plugin, tensors, tmp_path):
    before = listed(texprior, plugin)
    assert (before["acme_net"]["found"], before["acme_net"]["can_fetch"]) == (None, True)
    assert before["acme_net"]["used_by"] == ["metric/acme"]
    assert before["niqe"]["found"]
    answer = texprior("weights", "fetch", "acme_net", "--plugin", plugin, "--json")
    assert answer.code == 0, answer.err
    kept = load_file(answer.json["found"])
    assert {n: t.tolist() for n, t in kept.items()} == {n: t.tolist() for n, t in tensors.items()}
    assert answer.json["found"].startswith(str(tmp_path / "cache"))
    assert listed(texprior, plugin)["acme_net"]["found"] == answer.json["found"]
    again = texprior("weights", "fetch", "acme_net", "--plugin", plugin)
    assert again.code == 0
    assert "is already here" in again.err


def test_a_changed_file_is_refused(texprior, plugin, served, tmp_path):
    (served[0] / "acme.pth").write_bytes(b"something else")
    answer = texprior("weights", "fetch", "acme_net", "--plugin", plugin)
    assert (answer.code, answer.out) == (1, "")
    assert "nothing was kept" in answer.err
    assert not (tmp_path / "cache").exists()


def test_an_address_that_does_not_answer_is_a_sentence(texprior, plugin, served):
    (served[0] / "acme.pth").unlink()
    answer = texprior("weights", "fetch", "acme_net", "--plugin", plugin)
    assert (answer.code, answer.out) == (1, "")
    assert "cannot be fetched (HTTP Error 404" in answer.err


def test_what_has_no_address_says_how_to_import_it(texprior, plugin, tensors, tmp_path):
    answer = texprior("weights", "fetch", "acme_manual", "--plugin", plugin)
    assert (answer.code, answer.out) == (2, "")
    assert "get it from a letter to acme.example, then 'texprior weights import acme_manual FILE'" in answer.err
    file = tmp_path / "mine.safetensors"
    save_file(tensors, file)
    assert texprior("weights", "import", "acme_manual", file, "--plugin", plugin).code == 0
    save_file({"a": tensors["a"] + 1}, file)
    wrong = texprior("weights", "import", "acme_manual", file, "--plugin", plugin)
    assert wrong.code == 1
    assert "its content is not that of 'acme_manual'" in wrong.err


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (["import", "acme_net", "nowhere.pth"], "nowhere.pth: there is no such file"),
        (["import", "acme_nett", "nowhere.pth"], "nowhere.pth: there is no such file"),
        (["fetch", "acme_nett"], "no component needs parameters 'acme_nett'; did you mean 'acme_net'?"),
    ],
)
def test_wrong_names(texprior, plugin, arguments, fragment):
    answer = texprior("weights", *arguments, "--plugin", plugin)
    assert (answer.code, answer.out) == (2, "")
    assert fragment in answer.err


def test_hash_prints_what_the_record_of_a_plugin_needs(texprior, served, tensors, tmp_path):
    folder, _ = served
    save_file(tensors, tmp_path / "acme.safetensors")
    found = [
        texprior("weights", "hash", path, "--json").json
        for path in (folder / "acme.pth", tmp_path / "acme.safetensors")
    ]
    assert {one["tensors_sha256"] for one in found} == {content_hash(tensors)}  # of the content, in any file
    assert found[0]["url_sha256"] == hashlib.sha256((folder / "acme.pth").read_bytes()).hexdigest()
    assert f"tensors_sha256: {content_hash(tensors)}" in texprior("weights", "hash", folder / "acme.pth").out


def test_what_has_no_hash_is_a_sentence(texprior, tmp_path):
    (tmp_path / "page.md").write_text("# no parameters")
    save_file({}, tmp_path / "none.safetensors")
    for name, reason in {"page.md": "not a file of tensors alone", "none.safetensors": "holds no tensors"}.items():
        answer = texprior("weights", "hash", tmp_path / name)
        assert (answer.code, answer.out) == (1, "")
        assert reason in answer.err
        assert len(answer.err.splitlines()) == 1
