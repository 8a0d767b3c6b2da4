"""Which files of a folder are pictures, and what is said of the others."""

import logging
import os

import pytest
from PIL import Image, features

from texprior.flow import picture_files
from texprior.flow.image import load_image
from texprior.flow.once import warn_once
from texprior.flow.picture_files import find_pictures, picture_suffixes


@pytest.fixture
def said(caplog):
    """The warnings of a listing."""
    warn_once.cache_clear()
    caplog.set_level(logging.WARNING)
    return lambda: [record.getMessage() for record in caplog.records]


def names(folder, **options):
    return [path.as_posix() for path in find_pictures(folder, **options)]


WRITTEN = ["png", "jpg", "jpeg", "jfif", "bmp", "tif", "tiff", "webp", "ppm", "pgm", "gif", "tga", "qoi", "jp2", "avif"]


def test_every_kind_that_pillow_reads_is_found_and_read(tmp_path, said):
    have = {"jp2": features.check("jpg_2000"), "avif": features.check("avif"), "webp": features.check("webp")}
    written = [suffix for suffix in WRITTEN if have.get(suffix, True)]
    for suffix in written:
        Image.new("L" if suffix == "pgm" else "RGB", (16, 8), 128 if suffix == "pgm" else (128,) * 3).save(
            tmp_path / f"{suffix}.{suffix.upper()}"
        )
    assert names(tmp_path) == sorted(f"{suffix}.{suffix.upper()}" for suffix in written)
    for name in names(tmp_path):
        image = load_image(tmp_path / name)
        assert image.shape == (3, 8, 16)
        assert (image * 255 - 128).abs().max() < 4  # lossy formats
    assert said() == []


def test_formats_that_are_only_recognised_are_no_pictures():
    assert not picture_suffixes() & {".mpg", ".eps", ".ps", ".h5", ".grib", ".txt", ""}


def test_what_is_passed_over_is_counted_and_named(tmp_path, said):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    for name in ("b.heic", "c.dng", "notes", ".hidden.txt"):
        (tmp_path / name).touch()
    for _ in range(2):
        assert names(tmp_path) == ["a.png"]
    assert said() == [f"{tmp_path}: passed over 3 file(s) that are no pictures which can be read: b.heic, c.dng, notes"]


def test_what_a_pattern_or_the_caller_leaves_out_is_not_named(tmp_path, said):
    for name in ("a.png", "b.txt", "c.png"):
        (tmp_path / name).touch()
    assert names(tmp_path, pattern="a*") == ["a.png"]
    assert names(tmp_path, warns=False) == ["a.png", "c.png"]
    assert said() == []


def test_subfolders_and_links_are_followed_and_circles_named(tmp_path, said):
    root, elsewhere = tmp_path / "root", tmp_path / "elsewhere"
    for path in (root / "sub" / "a.png", elsewhere / "deep" / "b.png", root / "folder.png" / "c.png"):
        path.parent.mkdir(parents=True)
        path.touch()
    (root / "linked").symlink_to(elsewhere, target_is_directory=True)
    (root / "sub" / "up").symlink_to(root, target_is_directory=True)
    (root / "to-a.png").symlink_to(root / "sub" / "a.png")
    assert names(root) == ["folder.png/c.png", "linked/deep/b.png", "sub/a.png", "to-a.png"]
    assert said() == [f"{root}: passed over 1 link(s) to a folder that contains the link: sub/up"]
    assert names(root, recursive=False) == ["to-a.png"]


def test_links_that_lead_nowhere_are_pictures_whose_reading_says_so(tmp_path, said):
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (tmp_path / "self.png").symlink_to(tmp_path / "self.png")
    assert names(tmp_path) == ["gone.png", "self.png"]
    assert said() == []


def test_a_pipe_is_no_picture(tmp_path, said):
    os.mkfifo(tmp_path / "a.png")
    assert names(tmp_path) == []
    assert "passed over 1 file(s)" in said()[0]


def test_a_folder_that_cannot_be_opened_is_named(tmp_path, said, monkeypatch):
    (tmp_path / "closed").mkdir()
    (tmp_path / "a.png").touch()
    listed = picture_files.Path.iterdir

    def iterdir(path):
        if path.name == "closed":  # permissions do not stop a superuser
            raise PermissionError(13, "Permission denied")
        return listed(path)

    monkeypatch.setattr(picture_files.Path, "iterdir", iterdir)
    assert names(tmp_path) == ["a.png"]
    assert said() == [f"{tmp_path}: passed over 1 folder(s) that cannot be opened (Permission denied): closed"]


def test_one_folder_can_be_left_out_by_any_of_its_names(tmp_path):
    for path in (tmp_path / "a.png", tmp_path / "out" / "b.png"):
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (tmp_path / "link").symlink_to(tmp_path / "out", target_is_directory=True)
    assert names(tmp_path, without=tmp_path / "link") == ["a.png"]
    assert names(tmp_path, without=tmp_path / "missing") == ["a.png", "link/b.png", "out/b.png"]
