"""``texprior figure`` writes a PDF and a PNG, says which boxes it chose, and refuses what it cannot draw."""

import pytest
from PIL import Image


def test_both_files_are_written_and_the_boxes_are_told(texprior, pictures, tmp_path):
    call = ["figure", pictures / "train", f"same={pictures / 'train'}", "--picture", "coffee@10,20,32,24"]
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
])  # fmt: skip
def test_bad_input_is_a_sentence_and_writes_nothing(texprior, pictures, tmp_path, monkeypatch, options, said):
    monkeypatch.chdir(tmp_path)
    answer = texprior("figure", pictures / "train", *options)
    assert answer.code == 2
    assert said in answer.err
    assert list(tmp_path.iterdir()) == []
