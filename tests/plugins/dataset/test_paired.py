"""Paired folders: partners by name, sizes equal, and sentences where not."""

import os

import numpy as np
import pytest
import torch
from PIL import Image

from texprior.errors import ConfigError, ImageError
from texprior_plugins.dataset import FolderOptions, PairedOptions
from texprior_plugins.dataset.paired import Paired


def write(path, value=0, size=(8, 6)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((size[1], size[0], 3), value, np.uint8)).save(path)


@pytest.fixture
def folders(tmp_path):
    for i, name in enumerate(("a", "b", "sub/c")):
        write(tmp_path / f"lq/{name}.bmp", 10 * i)
        write(tmp_path / f"gt/{name}.png", 100 + 10 * i)
    return tmp_path


def paired(root, **options):
    return Paired(PairedOptions(degraded=str(root / "lq"), clean=str(root / "gt"), **options))


def test_pairs_by_name_whatever_the_suffix(folders):
    data = paired(folders)
    assert [list(data.keys(split)) for split in ("train", "val", "test")] == [["a", "b", "sub/c"]] * 3
    sample = data.load("sub/c")
    assert sample.key == "sub/c"
    assert torch.equal(sample.degraded, torch.full((3, 6, 8), 20 / 255))
    assert torch.equal(sample.clean, torch.full((3, 6, 8), 120 / 255))


def test_several_degraded_pictures_of_one_clean_one(tmp_path):
    for name in ("1400_1", "1400_2_x", "1401_7"):
        write(tmp_path / f"lq/{name}.png", 1)
    write(tmp_path / "gt/1400.png", 140)
    write(tmp_path / "gt/1401.png", 141)
    data = paired(tmp_path, match="prefix")
    assert list(data.keys("train")) == ["1400_1", "1400_2_x", "1401_7"]
    assert [round(data.load(key).clean.max().item() * 255) for key in data.keys("train")] == [140, 140, 141]
    with pytest.raises(ConfigError, match=r"3 pictures of .*lq have no partner in .*gt: 1400_1, 1400_2_x, 1401_7"):
        paired(tmp_path).keys("train")


@pytest.mark.parametrize(("side", "other"), [("lq", "gt"), ("gt", "lq")])
def test_missing_partners_are_listed(folders, side, other):
    for i in range(8):
        write(folders / side / f"alone{i}.png")
    with pytest.raises(
        ConfigError, match=rf"8 pictures of .*{side} have no partner in .*{other}: alone0.*, alone4 and 3 more"
    ) as e:
        paired(folders).keys("train")
    assert "alone5" not in str(e.value)


def test_a_pattern_chooses_degraded_pictures(folders):
    write(folders / "lq/d.bmp")
    assert list(paired(folders, pattern="[ab].*").keys("train")) == ["a", "b"]
    assert list(paired(folders, pattern="[ab].*", limit=1).keys("train")) == ["a"]


def test_twins_by_suffix_are_refused(folders):
    write(folders / "gt/a.jpg")
    with pytest.raises(ConfigError, match=r"a\.jpg and a\.png"):
        paired(folders).keys("train")


def test_sizes_must_agree(folders):
    write(folders / "gt/b.png", size=(9, 6))
    data = paired(folders)
    assert "b" in data.keys("train")
    with pytest.raises(ImageError, match=r"b\.bmp has 8 x 6 px and .*b\.png has 9 x 6 px"):
        data.load("b")


def test_unknown_keys_and_folders_are_named(folders):
    for asked in (paired(folders).load, paired(folders).source):
        with pytest.raises(ImageError, match=r"no degraded picture with the key 'z'"):
            asked("z")
    with pytest.raises(ConfigError, match=r"lq: there is no such folder"):
        paired(folders / "nowhere").keys("train")


def test_lists_hold_keys(folders):
    (folders / "test.txt").write_text("sub/c\na\n")
    data = paired(folders, lists=str(folders))
    assert list(data.keys("test")) == ["a", "sub/c"]
    assert list(data.keys("train")) == []


def test_names_that_are_not_utf_8_are_paired(tmp_path):
    odd = os.fsdecode(b"caf\xe9.png")
    try:
        for side, value in (("lq", 1), ("gt", 2)):
            write(tmp_path / side / odd, value)
    except OSError:
        pytest.skip("this file system takes no such name")
    data = paired(tmp_path)
    assert list(data.keys("train")) == ["caf%E9"]
    sample = data.load("caf%E9")
    assert [round(t.max().item() * 255) for t in (sample.degraded, sample.clean)] == [1, 2]


def test_a_list_with_suffixes_is_told_how_keys_are_written(folders):
    (folders / "train.txt").write_text("a.png\n")
    with pytest.raises(ConfigError, match=r"train\.txt: these keys .*: a\.png; its keys are written like 'a'"):
        paired(folders, lists=str(folders)).keys("train")


@pytest.mark.parametrize(("options", "form"), [
    (FolderOptions, "with suffix: street/1.png"),
    (PairedOptions, "without suffix: street/1"),
])  # fmt: skip
def test_the_option_says_how_keys_are_written(options, form):
    assert form in options.model_fields["lists"].description
