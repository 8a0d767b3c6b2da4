"""The list of a folder's digests: another program reads it, and a changed file is named."""

import re
import shutil
import subprocess

import pytest

from texprior.errors import ConfigError, TexpriorError
from texprior.models.checksums import LIST, changed_files, read_checksums, require_intact, write_checksums


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "a.yaml").write_text("a: 1\n")
    (tmp_path / "b c.bin").write_bytes(b"")
    write_checksums(tmp_path)
    return tmp_path


def test_the_digest_of_nothing_is_the_published_one(folder):
    nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert read_checksums(folder)["b c.bin"] == nothing
    assert list(read_checksums(folder)) == ["a.yaml", "b c.bin"]


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="sha256sum is not here")
def test_sha256sum_checks_it(folder):
    check = ["sha256sum", "--check", "--strict", "--quiet", LIST]
    assert subprocess.run(check, cwd=folder, capture_output=True).returncode == 0
    (folder / "a.yaml").write_text("a: 2\n")
    assert subprocess.run(check, cwd=folder, capture_output=True).returncode == 1


def test_a_changed_and_a_missing_file_are_named(folder):
    require_intact(folder)
    (folder / "a.yaml").write_text("a: 2\n")
    (folder / "b c.bin").unlink()
    assert changed_files(folder) == ["a.yaml", "b c.bin"]
    with pytest.raises(TexpriorError, match=re.escape(f"{folder}: b c.bin changed since the export")):
        require_intact(folder, "a.yaml")


def test_a_folder_without_a_list_has_nothing_to_compare(tmp_path):
    require_intact(tmp_path)
    assert changed_files(tmp_path) == []


@pytest.mark.parametrize("text", ["", "no digests\n", "ab  ../config.yaml\n", "ab  \n"])
def test_a_list_that_is_none_is_said(tmp_path, text):
    (tmp_path / LIST).write_text(text)
    with pytest.raises(ConfigError, match="this is no list of digests"):
        require_intact(tmp_path)
