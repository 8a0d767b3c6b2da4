"""Splits are looked at before a training: set, filled, of one kind, and degraded in one way."""

import pytest
from PIL import Image

from texprior import config
from texprior.errors import ConfigError
from texprior.registry import Registry
from texprior.runtime.session import Session
from texprior.runtime.split_check import require_splits


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


@pytest.fixture
def clean(tmp_path):
    def clean(name, *levels):
        folder = tmp_path / name
        folder.mkdir()
        for level in levels:
            Image.new("RGB", (32, 32), (level, level, level)).save(folder / f"{level}.png")
        return {"folder": {"path": str(folder)}}

    return clean


@pytest.fixture
def paired(tmp_path, clean):
    def paired(name, *levels):
        for side in ("degraded", "clean"):
            clean(f"{name}-{side}", *levels)
        return {"paired": {side: str(tmp_path / f"{name}-{side}") for side in ("degraded", "clean")}}

    return paired


@pytest.fixture
def check(registry):
    def check(data, *splits, **more):
        whole = {"name": "x", "events": [], "data": data, **more}
        said = config.said_in(whole, registry)
        require_splits(Session(config.resolve(whole, registry), registry, said=said), *splits)

    return check


def test_pairs_without_a_degradation_and_clean_pictures_with_one_can_be_used(check, clean, paired):
    check({"train": clean("train", 1), "val": clean("val", 2)}, "train", "val")
    check({"train": paired("rain", 3), "val": paired("more", 4)}, "train", "val", degradation=None)


def test_a_split_that_the_command_does_not_use_may_be_of_another_kind(check, clean, paired):
    check({"train": paired("rain", 1), "test": clean("test", 2)}, "train", degradation=None)
    check({"train": paired("rain2", 1), "test": clean("test2", 2)}, "test")


@pytest.mark.parametrize(("degradation", "remedy"), [(None, "name a degradation"), ("rain", "set 'degradation: null'")])
def test_splits_that_agree_need_another_degradation(check, clean, paired, degradation, remedy):
    made = clean if degradation is None else paired
    with pytest.raises(ConfigError, match=f"{remedy}$"):
        check({"train": made("train", 1), "val": made("val", 2)}, "train", "val", degradation=degradation)


@pytest.mark.parametrize(("degradation", "split"), [(None, "val"), ("rain", "train")])
def test_splits_that_differ_get_one_sentence_with_the_rule(check, clean, paired, degradation, split):
    """The same sentence whatever the degradation is, so that obeying it does not lead to the opposite one."""
    with pytest.raises(ConfigError) as error:
        check({"train": paired("train", 1), "val": clean("val", 2)}, "train", "val", degradation=degradation)
    text = str(error.value)
    assert text.startswith("data.train 'paired' brings pairs, data.val 'folder' brings clean pictures only, but ")
    assert "pairs need 'degradation: null', and clean pictures need a degradation" in text
    assert f"all splits of a command must be alike: set data.{split} to a data set that brings" in text


def test_a_union_of_both_kinds_is_found_before_the_training(check, clean, paired):
    union = {"union": {"of": [clean("photographs", 1, 2, 3), paired("rain", 4)]}}
    with pytest.raises(ConfigError, match="'union' brings clean pictures only and pairs"):
        check({"train": union}, "train")


def test_a_picture_that_cannot_be_read_is_left_to_the_training(check, clean, tmp_path):
    data = {"train": clean("train", 1)}
    (tmp_path / "train" / "0.png").write_bytes(b"no picture")
    check(data, "train")


def test_a_split_that_is_not_set_is_no_other_data_set(check, clean):
    data = {"train": clean("train", 1)}
    check(data, "train")
    with pytest.raises(ConfigError, match=r"^data\.val is not set, and data\.train is 'folder'; set data\.val"):
        check(data, "train", "val")
    check({**data, "val": "bundled"}, "train", "val")


def test_the_bundled_photographs_need_no_word(check):
    check({}, "train", "val", "test")
    check({"train": {"bundled": {"grey": False}}}, "train", "val", "test")
