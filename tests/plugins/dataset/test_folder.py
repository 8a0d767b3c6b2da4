"""An image folder: what counts as a picture, in which order, and what goes wrong in a sentence."""

import logging
import os

import numpy as np
import pytest
import torch
from PIL import Image

from texprior.errors import ConfigError, ImageError
from texprior.flow.once import warn_once
from texprior_plugins.dataset import FolderOptions
from texprior_plugins.dataset.folder import Folder


def write(path, value=0, size=(8, 6)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((size[1], size[0], 3), value, np.uint8)).save(path)


@pytest.fixture
def tree(tmp_path):
    root = tmp_path / "photos"
    for i, name in enumerate(("b.png", "a.JPG", "sub/c.png", "sub/deep/d.bmp", ".cache/e.png", ".f.png")):
        write(root / name, 10 * i)
    (root / "notes.txt").write_text("no picture")
    (root / "folder.png").mkdir()
    return root


def keys(root, split="train", **options):
    return list(Folder(FolderOptions(path=str(root), **options)).keys(split))


def test_keys_are_sorted_relative_paths_of_pictures(tree):
    expected = ["a.JPG", "b.png", "sub/c.png", "sub/deep/d.bmp"]
    assert [keys(tree, split) for split in ("train", "val", "test")] == [expected] * 3
    assert keys(tree, "other") == []


def test_options_narrow_them(tree):
    assert keys(tree, recursive=False) == ["a.JPG", "b.png"]
    assert keys(tree, pattern="*.png") == ["b.png", "sub/c.png"]
    assert keys(tree, limit=3) == ["a.JPG", "b.png", "sub/c.png"]


def test_pictures_are_loaded_as_they_are(tree):
    sample = Folder(FolderOptions(path=str(tree))).load("sub/c.png")
    assert sample.key == "sub/c.png"
    assert sample.degraded is None
    assert torch.equal(sample.clean, torch.full((3, 6, 8), 20 / 255))


def test_relative_paths_start_at_the_current_directory(tree, monkeypatch):
    monkeypatch.chdir(tree.parent)
    data = Folder(FolderOptions(path="photos"))
    assert data.load(data.keys("val")[1]).clean.max() == 0


def test_lists_make_splits(tree):
    lists = tree.parent / "lists"
    lists.mkdir()
    (lists / "train.txt").write_text("sub/c.png\n\na.JPG\n")
    (lists / "val.txt").write_text("b.png\n")
    assert [keys(tree, split, lists=str(lists)) for split in ("train", "val", "test")] == [
        ["a.JPG", "sub/c.png"],
        ["b.png"],
        [],
    ]
    assert keys(tree, lists=str(lists), limit=1) == ["a.JPG"]
    (lists / "val.txt").write_text("b.png\nz.png\n")
    with pytest.raises(
        ConfigError, match=r"val\.txt: these keys have no picture in the data set: z\.png; .* like 'a\.JPG'"
    ):
        keys(tree, "val", lists=str(lists))
    with pytest.raises(ConfigError, match=r"none of train\.txt"):
        keys(tree, lists=str(tree / "sub"))


def test_errors_name_the_folder(tree, tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere: there is no such folder"):
        keys(tmp_path / "nowhere")
    with pytest.raises(ConfigError, match=r"b\.png: this is not a folder"):
        keys(tree / "b.png")
    with pytest.raises(ConfigError, match=r"folder\.png: there is no picture in it or its subfolders .* '\*'"):
        keys(tree / "folder.png")
    with pytest.raises(ConfigError, match=r"whose name matches '\*\.gif'"):
        keys(tree, pattern="*.gif")


def test_a_broken_picture_is_an_image_error(tree):
    (tree / "broken.png").write_bytes(b"no picture")
    data = Folder(FolderOptions(path=str(tree)))
    assert "broken.png" in data.keys("train")  # only names are looked at before load
    with pytest.raises(ImageError, match=r"broken\.png: this is not a picture"):
        data.load("broken.png")


def test_a_name_that_is_not_utf_8_has_a_key_that_is(tree):
    odd = os.fsdecode(b"caf\xe9.png")
    try:
        write(tree / "sub" / odd, 40)
    except OSError:
        pytest.skip("this file system takes no such name")
    assert "sub/caf%E9.png" in keys(tree)
    data = Folder(FolderOptions(path=str(tree)))
    assert torch.equal(data.load("sub/caf%E9.png").clean, torch.full((3, 6, 8), 40 / 255))
    assert data.source("sub/caf%E9.png") == str((tree / "sub" / odd).resolve())
    write(tree / "sub" / "caf%E9.png", 50)
    with pytest.raises(ConfigError, match=r"two pictures read 'sub/caf%E9\.png'"):
        keys(tree)


def test_a_per_cent_in_a_name_is_itself(tree):
    write(tree / "100%41.png", 50)
    assert "100%41.png" in keys(tree)
    assert torch.equal(Folder(FolderOptions(path=str(tree))).load("100%41.png").clean, torch.full((3, 6, 8), 50 / 255))


def test_what_is_passed_over_is_said(tree, caplog):
    warn_once.cache_clear()
    with caplog.at_level(logging.WARNING):
        keys(tree)
    assert "passed over 1 file(s) that are no pictures which can be read: notes.txt" in caplog.text
