"""Third-party parameters are found by what is in a file, whatever its name, and each file is read once."""

import json
import os

import pytest
import torch
from safetensors.torch import save_file

from texprior import weights
from texprior.errors import ConfigError, TexpriorError
from texprior.plugin import Weights

TENSORS = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor([1, 2])}
RECORD = Weights("acme", weights.content_hash(TENSORS), "MIT", "acme.example")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of parameters; the cache is this test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TEXPRIOR_WEIGHTS", os.pathsep.join([str(tmp_path / "none"), str(tmp_path / "named")]))
    (tmp_path / "named").mkdir()
    return tmp_path / "named"


@pytest.fixture
def reads(monkeypatch):
    """The names of the files that are read."""
    names, read = [], weights.read
    monkeypatch.setattr(weights, "read", lambda path: names.append(path.name) or read(path))
    return names


def test_a_content_hash_is_of_names_types_shapes_and_values_alone():
    same = {"b": TENSORS["b"].clone(), "a": TENSORS["a"].T.contiguous().T}
    assert weights.content_hash(same) == RECORD.tensors_sha256
    others = (
        {"a": TENSORS["a"], "c": TENSORS["b"]},
        {"a": TENSORS["a"].double(), "b": TENSORS["b"]},
        {"a": TENSORS["a"].reshape(3, 2), "b": TENSORS["b"]},
        {"a": TENSORS["a"] + 1, "b": TENSORS["b"]},
    )
    assert len({weights.content_hash(tensors) for tensors in (TENSORS, *others)}) == 5


@pytest.mark.parametrize("name", ["acme.safetensors", "vgg (copy 2).safetensors", "official.pth", "weights.pt"])
def test_a_file_is_found_by_its_content_whatever_its_name(folder, name):
    save = save_file if name.endswith("safetensors") else torch.save
    save({"other": torch.ones(3)}, folder / f"0{name}")
    save(TENSORS, folder / name)
    assert weights.locate(RECORD) == folder / name
    assert {n: t.tolist() for n, t in weights.load(RECORD).items()} == {n: t.tolist() for n, t in TENSORS.items()}


def test_a_file_of_the_right_name_and_another_content_is_passed_over(folder):
    save_file({"a": TENSORS["a"] + 1, "b": TENSORS["b"]}, folder / "acme.safetensors")
    assert weights.locate(RECORD) is None
    save_file(TENSORS, folder / "zz.safetensors")
    assert weights.locate(RECORD) == folder / "zz.safetensors"


def test_a_file_is_read_once_until_it_changes(folder, reads):
    for number in range(3):
        save_file({"other": torch.ones(number + 1)}, folder / f"{number}.safetensors")
    (folder / "broken.pth").write_bytes(b"no parameters")
    (folder / "notes.txt").write_text("no parameters")
    save_file(TENSORS, folder / "z.safetensors")
    assert weights.locate(RECORD) == folder / "z.safetensors"
    assert sorted(reads) == ["0.safetensors", "1.safetensors", "2.safetensors", "broken.pth", "z.safetensors"]
    reads.clear()
    assert weights.locate(RECORD) == folder / "z.safetensors"
    assert reads == []
    save_file({"other": torch.zeros(9)}, folder / "1.safetensors")
    assert weights.locate(RECORD) == folder / "z.safetensors"
    assert reads == ["1.safetensors"]


def test_what_is_read_from_a_file_is_checked_though_the_index_knows_it(folder):
    path = folder / "acme.safetensors"
    save_file(TENSORS, path)
    assert weights.locate(RECORD) == path
    status = path.stat()
    save_file({"a": TENSORS["a"] + 1, "b": TENSORS["b"]}, path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    with pytest.raises(TexpriorError, match="its content is not that of 'acme'; remove the file"):
        weights.load(RECORD)


@pytest.mark.parametrize("text", ["", "[]", '{"/x": [1]}', "no json"])
def test_a_damaged_index_costs_time_alone(folder, tmp_path, text):
    index = weights.cache() / "index.json"
    index.parent.mkdir(parents=True)
    index.write_text(text)
    save_file(TENSORS, folder / "acme.safetensors")
    assert weights.locate(RECORD) == folder / "acme.safetensors"
    assert list(json.loads(index.read_text())) == [str((folder / "acme.safetensors").resolve())]


def test_a_cache_that_cannot_be_written_costs_time_alone(folder, tmp_path):
    (tmp_path / "cache").write_text("no folder")
    save_file(TENSORS, folder / "acme.safetensors")
    assert weights.locate(RECORD) == folder / "acme.safetensors"


def test_missing_parameters_are_a_sentence_with_hash_origin_and_places(folder):
    with pytest.raises(ConfigError) as error:
        weights.load(RECORD)
    for part in (RECORD.tensors_sha256, "acme.example", "'texprior weights import acme FILE...'", str(folder)):
        assert part in str(error.value)
    # only what has a pinned address can be fetched
    assert "fetch" not in str(error.value)
    address = {"url": "https://acme.example/a", "url_sha256": "0" * 64}
    pinned = Weights("acme", RECORD.tensors_sha256, "MIT", "acme.example", **address)
    with pytest.raises(ConfigError, match="'texprior weights fetch acme' or 'texprior weights import acme FILE"):
        weights.load(pinned)


def rename(tensors):
    """A conversion, as a plugin declares it."""
    return {name.removeprefix("net."): tensor for name, tensor in tensors.items() if name.startswith("net.")}


def test_official_files_are_taken_together_and_converted(folder, tmp_path, monkeypatch):
    import sys
    from types import SimpleNamespace

    monkeypatch.setitem(sys.modules, "acme_convert", SimpleNamespace(rename=rename))
    record = Weights("acme", RECORD.tensors_sha256, "MIT", "acme.example", convert="acme_convert:rename")
    torch.save({"net.a": TENSORS["a"], "classifier": torch.ones(2)}, tmp_path / "trunk.pth")
    torch.save({"net.b": TENSORS["b"]}, tmp_path / "heads.pth")
    with pytest.raises(TexpriorError, match=r"trunk.pth: its content is not that of 'acme' \(acme.example\)"):
        weights.install(record, [tmp_path / "trunk.pth"])
    kept = weights.install(record, [tmp_path / "trunk.pth", tmp_path / "heads.pth"])
    assert kept == weights.cache() / "acme.safetensors"
    assert weights.locate(record) == kept
    # what is kept needs no conversion when it is imported again, elsewhere
    assert weights.install(record, [kept]) == kept
