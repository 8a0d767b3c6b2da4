"""Pictures of every kind through ``texprior restore``."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import texprior as texprior_api


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
def test_other_modes_are_restored_as_their_rgb_and_written_as_they_were(restore, crop, tmp_path, mode):
    strange, plain = other_mode(crop, mode)
    name = "x.tif" if mode == "CMYK" else "x.png"  # the noise is keyed by the file's name
    for folder, image in (("strange", strange), ("plain", plain)):
        (tmp_path / folder).mkdir()
        image.save(tmp_path / folder / name)
    assert Image.open(tmp_path / "strange" / name).mode == mode
    answer = restore(tmp_path / "strange" / name, tmp_path / "plain" / name, "--full-names")
    assert answer.code == 0, answer.err
    results = [Image.open(p["restored"]) for p in answer.json["pictures"]]
    assert [r.mode for r in results] == [{"CMYK": "RGB"}.get(mode, mode), "RGB"]
    assert "icc_profile" not in results[0].info
    expected = on_white(results[1]).astype(float)
    if mode in ("L", "I;16"):
        expected = (expected @ [0.299, 0.587, 0.114])[..., None].repeat(3, -1)  # BT.601
    # compositing rounds to 8 bits in two ways, and the luma of a rounded picture is not the rounded luma
    assert np.abs(on_white(results[0]) - expected).max() <= 1.01


def on_white(image):
    """The picture as a viewer shows it, (H, W, 3), in levels of 255."""
    if image.mode == "I;16":
        return np.asarray(image)[..., None].repeat(3, -1) / 257
    if image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return np.asarray(image.convert("RGB"), dtype=float)


def test_alpha_is_kept_and_16_bits_where_asked(restore, crop, tmp_path):
    see_through, _ = other_mode(crop, "RGBA")
    see_through.save(tmp_path / "x.png")
    answer = restore(tmp_path / "x.png", "--bits", "16")
    assert answer.code == 0, answer.err
    (picture,) = answer.json["pictures"]
    assert Path(picture["restored"]).read_bytes()[24:26] == bytes([16, 6])  # a PNG of 16 bits, colour with alpha
    alpha = Image.open(picture["restored"]).getchannel("A")
    assert (np.asarray(alpha) == np.asarray(see_through.getchannel("A"))).all()


def test_one_stem_in_several_folders_is_named_apart_on_request(restore, crop, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths = [Path("a/x.png"), Path("b/x.jpg"), Path("b/x.png"), Path("b/y.png")]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        crop.save(path)
    answer = restore("a", "b")
    assert (answer.code, answer.json["error"]["exit_code"]) == (2, 2)
    assert "a/x.png, b/x.jpg: their results would have the same name; --full-names tells them apart" in answer.err
    answer = restore("a", "b", "--full-names")
    assert answer.code == 0, answer.err
    named = {p["picture"]: Path(p["restored"]).name for p in answer.json["pictures"]}
    assert named == {
        "a/x.png": "a-x.png.png",
        "b/x.jpg": "b-x.jpg.png",
        "b/x.png": "b-x.png.png",
        "b/y.png": "b-y.png.png",
    }
    same = [read(p["restored"]) for p in answer.json["pictures"] if p["picture"] in ("a/x.png", "b/x.png")]
    assert (same[0] == same[1]).all()  # one name, one noise


@pytest.mark.parametrize(
    ("names", "remedy"),
    [
        (("a.jpg", "a.png"), "--full-names tells them apart"),
        (("a.png", "A.PNG"), "--full-names tells them apart"),
        (("a-b.png", "a/b.png"), "--full-names tells them apart"),
    ],
)
def test_results_never_overwrite_each_other(restore, crop, tmp_path, names, remedy):
    for name in names:
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        crop.save(path)
    if len([f for f in (tmp_path / "in").rglob("*") if f.is_file()]) < 2:
        pytest.skip("this file system ignores case")
    answer = restore(tmp_path / "in")
    assert (answer.code, answer.json["error"]["exit_code"]) == (2, 2)
    assert remedy in answer.err
    assert not (tmp_path / "restored").exists()


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
    for more in ("b/x.png", "x.png", "b/y.jpg"):
        crop.save(tmp_path / more)
    assert {path: name for path, name in names().items() if path in alone} == alone


def test_a_picture_that_is_given_twice_is_one(crop, tmp_path):
    from texprior.cli.pictures import find_sources

    crop.save(tmp_path / "x.png")
    given = [str(tmp_path), f"{tmp_path}/../{tmp_path.name}/x.png", str(tmp_path / "x.png")]
    assert [source.name for source in find_sources(given)] == ["x"]


@pytest.mark.parametrize("command", ["restore", "degrade", "decompose", "alpha-curve"])
def test_results_below_a_given_folder_are_no_input(texprior, in_study, crop, tmp_path, command):
    from texprior.cli.pictures import find_sources

    more = {
        "restore": ["--model", in_study.model],
        "degrade": ["--with", "defocus"],
        "decompose": ["--with", "guided"],
        "alpha-curve": ["--metrics", "niqe", "--alphas", "0.5,1", "--set", "events=[]"],
    }[command]
    crop.resize((200, 200)).save(tmp_path / "x.png")
    before = find_sources([str(tmp_path)])
    for _ in range(2):
        answer = texprior(command, tmp_path, *more, "-o", tmp_path / "out", "--json")
        assert answer.code == 0, answer.err
    assert find_sources([str(tmp_path)]) != before  # the results are pictures
    assert find_sources([str(tmp_path)], str(tmp_path / "out")) == before


def test_a_result_never_overwrites_a_source(texprior, in_study, crop, tmp_path):
    crop.save(tmp_path / "x.png")
    answer = texprior("restore", tmp_path / "x.png", "--model", in_study.model, "-o", tmp_path)
    assert answer.code == 2
    assert "x.png: the result would overwrite this picture" in answer.err
    answer = texprior("restore", tmp_path, "--model", in_study.model, "-o", tmp_path)
    assert answer.code == 2
    assert "this folder holds the pictures, and a second run would take the results for pictures" in answer.err
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
    assert (answer.code, answer.json["error"]["exit_code"]) == (2, 2)
    assert "the spread of the first and the result of the second would both be" in answer.err
    answer = restore(*pictures, "--steps", "1")
    assert answer.code == 0, answer.err


@pytest.fixture
def odd_names(crop, tmp_path):
    """A folder with a file whose name is Latin-1, which is not UTF-8."""
    folder = tmp_path / "odd"
    folder.mkdir()
    crop.save(tmp_path / "plain.png")
    try:
        (tmp_path / "plain.png").rename(folder / os.fsdecode(b"caf\xe9.png"))
    except OSError:
        pytest.skip("this file system takes no such name")
    return folder


def test_a_name_that_is_not_utf_8_is_escaped(texprior, in_study, odd_names, tmp_path):
    recipe = tmp_path / "recipes.json"
    commands = {
        "restored": ["restore", odd_names, "--model", in_study.model, "-o", tmp_path / "restored"],
        "degraded": ["degrade", odd_names, "--with", "rain", "--recipe", recipe, "-o", tmp_path / "degraded"],
        "structure": ["decompose", odd_names, "--with", "guided", "-o", tmp_path / "layers"],
    }
    for part, command in commands.items():
        answer = texprior(*command, "--json")
        assert answer.code == 0, answer.err
        answer.out.encode()  # raises for what is not UTF-8
        (picture,) = answer.json["pictures"]
        assert picture["picture"].endswith("/caf%E9.png")
        assert Path(picture[part]).is_file()
        assert texprior(*command).code == 0
    again = texprior("degrade", odd_names, "--replay", recipe, "-o", tmp_path / "again", "--json")
    assert again.json["pictures"][0]["rmse"] == pytest.approx(picture_rmse(texprior, commands["degraded"]))
    for made in (tmp_path / "restored" / "caf%E9.png", tmp_path / "layers" / "caf%E9-structure.png"):
        assert made.is_file()


def picture_rmse(texprior, command):
    return texprior(*command, "--json").json["pictures"][0]["rmse"]


def test_evaluate_scores_a_name_that_is_not_utf_8(texprior, in_study, odd_names, tmp_path):
    (odd_names / "broken.png").write_bytes(b"no picture")
    data = f"data.val={{folder: {{path: {odd_names}}}}}"
    options = ["--split", "val", "--set", data, "-o", tmp_path / "scores", "--json"]
    answer = texprior("evaluate", in_study.file, "--model", in_study.model, *options)
    assert answer.code == 1
    assert list(answer.json["broken"]) == ["broken.png"]
    assert ",caf%E9.png,psnr_rgb," in (tmp_path / "scores" / "scores.csv").read_text(encoding="utf-8")


def test_a_value_that_is_not_finite_is_named_and_the_rest_is_done(restore, crop, tmp_path):
    values = np.asarray(crop.convert("L"), dtype=np.float32) / 255
    values[5, 6] = np.nan
    Image.fromarray(values).save(tmp_path / "a.tif")
    crop.save(tmp_path / "b.png")
    answer = restore(tmp_path / "a.tif", tmp_path / "b.png")
    assert answer.code == 1
    assert [Path(p["picture"]).name for p in answer.json["pictures"]] == ["b.png"]
    assert "a.tif: 1 of 12,000 values is NaN or infinite, the first in column 6, row 5" in answer.err
    assert not (tmp_path / "restored" / "a.png").exists()


def test_a_setting_that_is_younger_than_the_model_has_its_earlier_value(texprior, in_study, crop, tmp_path):
    """As ``texprior.restore`` does it: a model of before mixed precision is sampled in float32."""
    old = tmp_path / "old"
    shutil.copytree(in_study.model, old)
    text = (old / "config.yaml").read_text()
    assert text.count("  amp: true\n") == 4  # of three trainings, and of sampling, which comes last
    head, _, tail = text.rpartition("  amp: true\n")
    (old / "config.yaml").write_text(head + tail)
    crop.crop((0, 0, 8, 8)).save(tmp_path / "a.png")
    prior = in_study.prior.json["prior"]
    answer = texprior("restore", tmp_path / "a.png", "--model", old, "--prior", prior, "-o", tmp_path / "r", "--json")
    assert answer.code == 0, answer.err
    assert answer.json["sampling"]["amp"] is False
    assert texprior_api.load_model(old, prior).experiment.sampling.amp is False
