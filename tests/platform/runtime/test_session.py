"""A data section is looked at once in a process, whoever asks, and another one is looked at by itself."""

import pytest
from PIL import Image

from texprior import config
from texprior.errors import ConfigError
from texprior.registry import Registry
from texprior.runtime import session as module
from texprior.runtime.session import Session


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


def folder(path, *levels):
    path.mkdir()
    for level in levels:
        Image.new("RGB", (32, 32), (level, level, level)).save(path / f"{level}.png")
    return {"folder": {"path": str(path)}}


@pytest.fixture
def data(tmp_path):
    return {"train": folder(tmp_path / "train", 10, 20), "val": folder(tmp_path / "val", 30)}


def session(registry, data, **more):
    return Session(config.resolve({"name": "x", "events": [], "data": data, **more}, registry), registry)


def counted(monkeypatch):
    """Counts the builds of data sets and the looks for pictures that two splits share."""
    calls = {"built": 0, "compared": 0}
    build, find = Registry.build, module.find_overlap

    def building(self, kind, *rest, **more):
        calls["built"] += getattr(kind, "name", kind) == "dataset"
        return build(self, kind, *rest, **more)

    def finding(*arguments):
        calls["compared"] += 1
        return find(*arguments)

    monkeypatch.setattr(Registry, "build", building)
    monkeypatch.setattr(module, "find_overlap", finding)
    return calls


def test_a_data_section_is_looked_at_once(registry, data, monkeypatch):
    calls, one = counted(monkeypatch), session(registry, data, evaluation={"split": "val"})
    arm = one.with_(experiment=one.experiment.model_copy(update={"threads": 1}))  # another experiment, the same data
    for s in (one, arm, one, arm):
        assert [len(s.pictures(split).keys) for split in ("train", "val")] == [2, 1]
        s.run_info("id", "name", "cell")
    assert calls == {"built": 2, "compared": 1}


def test_another_seed_and_another_section_are_looked_at_again(registry, data, monkeypatch):
    calls, one = counted(monkeypatch), session(registry, data)
    one.pictures("val")
    one.with_(experiment=one.experiment.model_copy(update={"seed": 1})).pictures("val")  # it may split by the seed
    assert calls == {"built": 4, "compared": 2}
    one.with_(experiment=session(registry, {**data, "cache_mb": 64}).experiment).pictures("val")
    assert calls == {"built": 4, "compared": 3}


def test_a_shared_picture_is_refused_each_time(registry, data, tmp_path):
    broken = session(registry, {**data, "val": folder(tmp_path / "copy", 10)})
    for _ in range(2):
        with pytest.raises(ConfigError, match=r"^data\.val: shares 1 picture with data\.train, such as 10\.png$"):
            broken.pictures("val")


def test_the_cache_folder_is_named_or_beside_the_runs(registry, data, tmp_path, monkeypatch):
    monkeypatch.delenv("TEXPRIOR_CACHE", raising=False)
    one = Session(session(registry, data).experiment, registry, root=tmp_path)
    assert one.cache_folder == tmp_path / "cache"
    monkeypatch.setenv("TEXPRIOR_CACHE", str(tmp_path / "elsewhere"))
    assert one.cache_folder == tmp_path / "elsewhere"
