"""Results of ``restore``: a large picture section by section, and what an interrupt leaves."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from texprior import pipeline
from texprior.cli import restored_files
from texprior.cli.restored_files import Finished, RestoredFile
from texprior.errors import ImageError
from texprior.flow.image import save_image
from texprior.flow.pixels import Picture
from texprior.flow.tile import tiles
from texprior.models import sections
from texprior.pipeline import Restored


@pytest.fixture
def restore(texprior, in_study, tmp_path):
    return lambda *arguments: texprior(
        "restore", *arguments, "--model", in_study.model, "-o", tmp_path / "restored", "--json"
    )


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize("see_through", [False, True])
def test_a_file_of_sections_is_the_file_of_the_whole_picture(tmp_path, monkeypatch, bits, grey, see_through):
    monkeypatch.setattr(restored_files, "_BAND", 16)
    values = torch.rand(3, 3, 50, 70, generator=torch.Generator().manual_seed(0)) * 1.2 - 0.1
    alpha = values[2, :1].clamp(0, 1) if see_through else None
    picture = Picture(torch.zeros(3, 50, 70, dtype=torch.uint8), alpha, grey)
    file = RestoredFile(picture, bits, with_spread=True)
    for tile in tiles(50, 70, 32, 0):
        part, spread = (tile.cut(v)[None] for v in values[:2].abs())
        file.put(tile, Restored(part, spread, part, part, part, calls=4, elapsed_s=1.0), "x")
    file.write(tmp_path / "x.png")
    mean = file.write_spread(tmp_path / "spread.png")
    picture_, spread = values[:2].abs()
    save_image(picture_, tmp_path / "whole.png", alpha, grey, bits)
    save_image(spread / spread.max(), tmp_path / "whole-spread.png")
    for name, whole in (("x", "whole"), ("spread", "whole-spread")):
        assert (tmp_path / f"{name}.png").read_bytes() == (tmp_path / f"{whole}.png").read_bytes()
    assert mean == pytest.approx(spread.mean().item())
    assert file.spent == (4, 6.0)


def test_the_command_restores_a_large_picture_by_sections_and_tells_its_tiles(restore, pictures, tmp_path, monkeypatch):
    """Within one level of the picture restored as a whole."""
    crop = Image.open(pictures / "val" / "chelsea.png")
    crop.resize((200, 150)).save(tmp_path / "x.png")
    options = tmp_path / "x.png", "--samples", "2", "--tile", "64", "--set", "sampling.halo=64"
    assert restore(*options).code == 0
    whole = np.asarray(Image.open(tmp_path / "restored" / "x.png")).astype(int)
    (tmp_path / "restored" / "x.png").unlink()
    monkeypatch.setattr(sections, "LARGE", 64)
    monkeypatch.setattr(sections, "SECTION", 64)
    monkeypatch.setattr(pipeline, "restore", None)  # the command never holds the whole picture
    answer = restore(*options)
    assert answer.code == 0, answer.err
    found = np.asarray(Image.open(tmp_path / "restored" / "x.png")).astype(int)
    assert np.abs(found - whole).max() <= 1
    assert (found != whole).mean() < 0.01


def test_the_same_command_goes_on_after_an_interrupt(restore, pictures, tmp_path, monkeypatch):
    source = tmp_path / "in"
    source.mkdir()
    for name in ("a", "b", "c"):
        Image.open(pictures / "val" / "chelsea.png").save(source / f"{name}.png")
    restored, sections_of = [], pipeline.restore_sections

    def until(count):
        def walk(model, part, size, key, *how, **more):
            restored.append(key)
            if len(restored) > count:
                raise KeyboardInterrupt
            return sections_of(model, part, size, key, *how, **more)

        monkeypatch.setattr(pipeline, "restore_sections", walk)

    until(1)
    answer = restore(source)
    assert (answer.code, restored) == (130, ["a.png", "b.png"])
    assert "run the same command again to continue" in answer.err
    # the first result is there, and nothing of the others
    assert sorted(p.name for p in (tmp_path / "restored").glob("*")) == [".texprior-restored.jsonl", "a.png"]
    first = (tmp_path / "restored" / "a.png").stat().st_mtime_ns

    until(99)
    restored.clear()
    answer = restore(source)
    assert (answer.code, restored) == (0, ["b.png", "c.png"])
    assert [p.get("finished_before", False) for p in answer.json["pictures"]] == [True, False, False]
    assert (tmp_path / "restored" / "a.png").stat().st_mtime_ns == first

    # whatever decides a result makes it again: a setting, the picture, a result that was changed
    for change in (("--seed", "5"), ("--steps", "1"), ("--bits", "16")):
        restored.clear()
        assert restore(source, *change).code == 0
        assert restored == ["a.png", "b.png", "c.png"]
    Image.new("RGB", (8, 8)).save(source / "a.png")
    Image.new("RGB", (8, 8)).save(tmp_path / "restored" / "b.png")
    restored.clear()
    assert restore(source, "--bits", "16").code == 0
    assert restored == ["a.png", "b.png"]


def test_a_line_that_a_kill_cut_off_does_not_count(tmp_path):
    source, target = tmp_path / "x.jpg", tmp_path / "x.png"
    source.write_bytes(b"1")
    target.write_bytes(b"2")
    Finished(tmp_path, {"seed": 1}).add(source, "x", [target], {"calls": 4})
    assert Finished(tmp_path, {"seed": 1}).find(source, "x", [target]) == {"calls": 4}
    assert Finished(tmp_path, {"seed": 2}).find(source, "x", [target]) is None
    notes = tmp_path / ".texprior-restored.jsonl"
    line = notes.read_text(encoding="utf-8")
    for broken in (line[:-9], "[]\n", json.dumps({"identity": [1], "result": 3}) + "\n", "\x00" + line):
        notes.write_text(broken, encoding="utf-8")
        assert Finished(tmp_path, {"seed": 1}).find(source, "x", [target]) is None


def test_a_picture_is_written_completely_or_not_at_all(tmp_path, monkeypatch):
    target = tmp_path / "x.png"
    save_image(torch.zeros(3, 4, 4), target)
    before = target.read_bytes()

    def stopped(self, path, *_args, **_more):
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(Image.Image, "save", stopped)
    with pytest.raises(KeyboardInterrupt):
        save_image(torch.ones(3, 4, 4), target)
    assert target.read_bytes() == before
    assert list(tmp_path.iterdir()) == [target]


def test_values_that_are_not_finite_are_refused(tmp_path):
    picture = torch.full((1, 3, 4, 4), torch.nan)
    file = RestoredFile(Picture(torch.zeros(3, 4, 4, dtype=torch.uint8)), 8, with_spread=False)
    with pytest.raises(ImageError, match=r"x\.png: 48 of 48 values are NaN or infinite"):
        file.put(tiles(4, 4, 8, 0)[0], Restored(*[picture] * 5, calls=1, elapsed_s=0.0), "x.png")
