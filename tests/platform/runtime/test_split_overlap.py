"""Pictures that two data sets share are found by place and by content."""

from pathlib import Path

from texprior.runtime.split_overlap import find_overlap


class Files:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def source(self, key: str) -> str:
        return str(self.folder / key)


class Named:
    def source(self, key: str) -> str:
        return f"bundle:{key}"


def folder(path: Path, **files: bytes) -> tuple[Files, list[str]]:
    path.mkdir()
    for name, content in files.items():
        (path / name).write_bytes(content)
    return Files(path), sorted(files)


def test_copies_under_other_names_are_found(tmp_path):
    ours = folder(tmp_path / "a", one=b"first", two=b"other", three=b"longer than any")
    theirs = folder(tmp_path / "b", uno=b"first", due=b"OTHER")
    assert find_overlap(ours, theirs) == ["one"]
    assert find_overlap(theirs, ours) == ["uno"]


def test_one_place_is_one_picture(tmp_path):
    ours = folder(tmp_path / "a", one=b"1", two=b"2")
    assert find_overlap(ours, ours) == ["one", "two"]
    assert find_overlap((Named(), ["x", "y"]), (Named(), ["y", "z"])) == ["y"]


def test_what_says_nothing_of_its_source_is_not_compared(tmp_path):
    assert find_overlap((object(), ["a"]), folder(tmp_path / "a", a=b"1")) == []
