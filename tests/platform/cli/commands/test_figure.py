"""``texprior figure`` writes a PDF and a PNG, says which boxes it chose, and refuses what it cannot draw."""

import hashlib
import shutil

import pytest
from PIL import Image


def test_both_files_are_written_and_the_boxes_are_told(texprior, pictures, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(pictures / "train", other)
    path = next(other.glob("rocket.*"))
    with Image.open(path) as shown:
        changed = shown.convert("RGB")
    changed.paste((255, 0, 0), (0, 0, 40, 40))
    changed.save(other / "rocket.png")
    if path.suffix != ".png":
        path.unlink()
    call = ["figure", pictures / "train", other, "--picture", "coffee@10,20,32,24"]
    answer = texprior(
        *call, "--picture", "rocket", "--side", 40, "-o", tmp_path / "out" / "fig", "--dpi", 100, "--json"
    )
    assert answer.code == 0, answer.err
    assert answer.json["boxes"] == {"coffee": [[10, 20, 32, 24]], "rocket": [[0, 0, 40, 40]]}
    assert (tmp_path / "out" / "fig.pdf").read_bytes().startswith(b"%PDF")
    assert Image.open(tmp_path / "out" / "fig.png").width == 700
    alone = texprior(*call, "-o", tmp_path / "only.pdf")
    assert alone.code == 0, alone.err
    assert alone.out == f"coffee: @10,20,32,24\nfigure: {tmp_path / 'only.pdf'}\n"
    assert not (tmp_path / "only.png").exists()


@pytest.mark.parametrize(("options", "said"), [
    (["--picture", "coffee@1,2"], "a box is LEFT,TOP,WIDTH,HEIGHT"),
    (["--picture", "tea"], "--picture tea: it is not in train, which has astronaut, coffee, rocket"),
    (["-o", "."], "this is a folder"),
    (["-o", "shown.jpg"], "a figure is a PDF or a PNG"),
    (["--picture", "coffee"], "the folders do not differ in it"),
])  # fmt: skip
def test_bad_input_is_a_sentence_and_writes_nothing(texprior, pictures, tmp_path, monkeypatch, options, said):
    monkeypatch.chdir(tmp_path)
    answer = texprior("figure", pictures / "train", *options)
    assert answer.code == 2
    assert said in answer.err
    assert list(tmp_path.iterdir()) == []


def test_no_picture_that_is_read_is_overwritten(texprior, pictures, tmp_path):
    """Neither by its own name nor by another way to it."""
    folder = tmp_path / "mine"
    shutil.copytree(pictures / "train", folder)
    Image.new("RGB", (64, 64)).save(folder / "only.png")
    (tmp_path / "link.png").symlink_to(folder / "only.png")
    before = hashlib.sha256((folder / "only.png").read_bytes()).hexdigest()
    for target in (folder / "only", folder / "only.png", tmp_path / "link.png"):
        answer = texprior("figure", folder, "--picture", "only@0,0,32,32", "-o", target)
        assert answer.code == 2
        assert "this is one of the pictures that are read" in answer.err
    assert hashlib.sha256((folder / "only.png").read_bytes()).hexdigest() == before
