"""Several data sets as one."""

import numpy as np
import pytest
from PIL import Image

from texprior.config import resolve
from texprior.errors import ConfigError, ImageError
from texprior.plugin import Ref
from texprior.registry import Registry


@pytest.fixture
def folders(tmp_path):
    for i, name in enumerate(("one/a", "one/b", "two/a")):
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((4, 5, 3), 10 * i, np.uint8)).save(path)
    return tmp_path


def union(root, *names):
    of = [{"folder": {"path": str(root / name)}} if name else "bundled" for name in names]
    return Registry.discover().build("dataset", Ref(name="union", options={"of": of}))


def test_keys_say_which_data_set_they_are_of(folders):
    data = union(folders, "one", "two")
    assert list(data.keys("train")) == ["0/a.png", "0/b.png", "1/a.png"]
    assert [round(data.load(key).clean.max().item() * 255) for key in data.keys("train")] == [0, 10, 20]
    assert data.load("1/a.png").key == "1/a.png"
    assert data.source("1/a.png") == str((folders / "two/a.png").resolve())


def test_each_split_is_that_of_each_data_set(folders):
    data = union(folders, "two", "")
    assert list(data.keys("val")) == ["0/a.png", "1/coffee", "1/flower"]
    assert data.load("1/coffee").clean.shape[0] == 3


@pytest.mark.parametrize("key", ["a.png", "7/a.png", "x/a.png", "-1/a.png"])
def test_a_key_of_no_data_set_is_named(folders, key):
    with pytest.raises(ImageError, match=f"no picture '{key}' in a union of 1 data sets"):
        union(folders, "one").load(key)


def test_a_wrong_data_set_in_it_is_an_error_with_its_path(folders):
    given = {"name": "x", "data": {"train": {"union": {"of": ["bundled", {"folder": {"pathh": "x"}}]}}}}
    with pytest.raises(
        ConfigError, match=r"data\.train\.union\.of\.1\.folder\.pathh: unknown key; did you mean 'path'"
    ):
        resolve(given, Registry.discover())
