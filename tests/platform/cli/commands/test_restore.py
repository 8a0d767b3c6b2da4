"""Pictures of every kind through ``texprior restore``."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def read(path):
    return np.asarray(Image.open(path))


@pytest.fixture
def restore(texprior, in_study, tmp_path):
    """Restores and returns the answer; results go to a folder of this test's own."""
    return lambda *arguments: texprior(
        "restore", *arguments, "--model", in_study.model, "-o", tmp_path / "restored", "--json"
    )


@pytest.fixture
def crop(pictures):
    return Image.open(pictures / "val" / "chelsea.png").convert("RGB")


def test_odd_sizes_keep_their_size(restore, crop, tmp_path):
    for width, height in ((57, 33), (5, 3), (1, 1)):
        crop.crop((0, 0, width, height)).save(tmp_path / f"{width}x{height}.png")
    answer = restore(*sorted(tmp_path.glob("*.png")))
    assert answer.code == 0, answer.err
    for picture in answer.json["pictures"]:
        assert f"{Path(picture['picture']).stem}" == picture["size"]
        assert Image.open(picture["restored"]).size == Image.open(picture["picture"]).size


def other_mode(crop, mode):
    """(a picture of another mode, the RGB picture of the same content)."""
    if mode == "L":
        grey = crop.convert("L")
        return grey, Image.merge("RGB", [grey] * 3)
    if mode == "I;16":
        grey = crop.convert("L")
        wide = np.asarray(grey, dtype=np.uint16) * 257  # 65535 = 255 * 257
        return Image.fromarray(wide), Image.merge("RGB", [grey] * 3)
    if mode == "RGBA":
        alpha = Image.linear_gradient("L").resize(crop.size)
        see_through = crop.copy()
        see_through.putalpha(alpha)
        white = Image.new("RGB", crop.size, "white")
        white.paste(crop, mask=alpha)
        return see_through, white
    inks = crop.convert("CMYK")
    return inks, inks.convert("RGB")


@pytest.mark.parametrize("mode", ["L", "I;16", "RGBA", "CMYK"])
def test_other_modes_are_restored_as_their_rgb(restore, crop, tmp_path, mode):
    strange, plain = other_mode(crop, mode)
    name = "x.tif" if mode == "CMYK" else "x.png"  # the noise is keyed by the file's name
    for folder, image in (("strange", strange), ("plain", plain)):
        (tmp_path / folder).mkdir()
        image.save(tmp_path / folder / name)
    assert Image.open(tmp_path / "strange" / name).mode == mode
    answer = restore(tmp_path / "strange" / name, tmp_path / "plain" / name)
    assert answer.code == 0, answer.err
    results = [read(p["restored"]).astype(int) for p in answer.json["pictures"]]
    assert len(results) == 2
    assert np.abs(results[0] - results[1]).max() <= 1  # compositing rounds to 8 bits in two ways


def test_one_stem_in_several_folders_gives_several_results(restore, crop, tmp_path):
    paths = [tmp_path / "a" / "x.png", tmp_path / "b" / "x.png", tmp_path / "b" / "x.jpg", tmp_path / "b" / "y.png"]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        crop.save(path)
    answer = restore(tmp_path / "a", tmp_path / "b")
    assert answer.code == 0, answer.err
    named = {p["picture"]: Path(p["restored"]).name for p in answer.json["pictures"]}
    assert named == {
        str(paths[0]): "a-x.png",
        str(paths[1]): "b-x-png.png",
        str(paths[2]): "b-x-jpg.png",
        str(paths[3]): "y.png",
    }
    same = [read(p["restored"]) for p in answer.json["pictures"] if p["picture"] in (str(paths[0]), str(paths[1]))]
    assert (same[0] == same[1]).all()  # one name, one noise


def test_the_name_of_a_result_does_not_depend_on_the_other_pictures(crop, tmp_path):
    from texprior.cli.pictures import find_sources

    def names():
        return {source.path.relative_to(tmp_path).as_posix(): source.name for source in find_sources([str(tmp_path)])}

    (tmp_path / "a").mkdir()
    crop.save(tmp_path / "a" / "x.png")
    crop.save(tmp_path / "y.png")
    alone = names()
    assert alone == {"a/x.png": "a-x", "y.png": "y"}
    (tmp_path / "b").mkdir()
    for more in ("b/x.png", "x.png", "b/y.png"):
        crop.save(tmp_path / more)
    assert {path: name for path, name in names().items() if path in alone} == alone


def test_a_result_never_overwrites_a_source(texprior, in_study, crop, tmp_path):
    crop.save(tmp_path / "x.png")
    answer = texprior("restore", tmp_path, "--model", in_study.model, "-o", tmp_path)
    assert answer.code == 2
    assert "x.png: the result would overwrite this picture" in answer.err
    assert (read(tmp_path / "x.png") == np.asarray(crop)).all()


def test_a_broken_picture_among_good_ones_is_named(restore, pictures, tmp_path):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for path in (pictures / "val").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    whole = (folder / "china.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "text.jpg").write_text("no picture", encoding="utf-8")
    answer = restore(folder)
    assert answer.code == 1
    assert {Path(p["picture"]).name for p in answer.json["pictures"]} == {"chelsea.png", "china.png"}
    assert {Path(p).name for p in answer.json["broken"]} == {"cut.png", "text.jpg"}
    assert "2 pictures could not be read or written" in answer.err
    assert "cut.png" in answer.err


def test_options_reach_the_sampling(restore, pictures):
    image = pictures / "val" / "chelsea.png"
    options = [
        [],
        ["--seed", "0"],
        ["--seed", "1"],
        ["--texture-strength", "0"],
        ["--texture-strength", "0", "--seed", "1"],
        ["--steps", "3", "--samples", "2"],
    ]
    answers = []
    for choice in options:
        answer = restore(image, *choice)
        assert answer.code == 0, answer.err
        (picture,) = answer.json["pictures"]
        answers.append((read(picture["restored"]), picture))
    default, same, other, smooth, smooth_again, several = (a[0] for a in answers)
    assert (default == same).all()  # the experiment's own seed is 0
    assert (smooth == smooth_again).all()  # without the layer there is no noise
    assert (default != other).any()
    assert (default != smooth).any()
    assert answers[0][1]["calls"] == 2
    assert answers[5][1]["calls"] == 3 * 2
    assert answers[0][1]["spread"] is None
    assert read(answers[5][1]["spread"]).shape == several.shape
    assert answers[5][1]["mean_spread"] > 0


def test_a_result_that_cannot_be_written_is_not_called_unreadable(restore, crop, tmp_path):
    crop.save(tmp_path / "x.png")
    (tmp_path / "restored" / "x.png").mkdir(parents=True)
    answer = restore(tmp_path / "x.png")
    assert answer.code == 1
    assert "1 picture could not be read or written:" in answer.err
    assert "x.png: the picture cannot be written" in answer.err


def test_a_spread_never_overwrites_a_result(restore, crop, tmp_path):
    for name in ("x.png", "x-Spread.png"):
        crop.save(tmp_path / name)
    pictures = tmp_path / "x.png", tmp_path / "x-Spread.png"
    answer = restore(*pictures, "--steps", "1", "--samples", "2")
    assert (answer.code, answer.out) == (2, "")
    assert "the spread of the first and the result of the second would both be" in answer.err
    answer = restore(*pictures, "--steps", "1")
    assert answer.code == 0, answer.err
