"""``texprior degrade``: what is random, and recipes that make the same pictures again."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def read(path):
    return np.asarray(Image.open(path), dtype=np.float64) / 255


def test_the_seed_and_the_name_decide_what_is_random(texprior, pictures, tmp_path):
    image = pictures / "val" / "china.png"
    copy = tmp_path / "moved" / "china.png"
    copy.parent.mkdir()
    copy.write_bytes(image.read_bytes())
    found = []
    for number, arguments in enumerate([(image,), (copy,), (image, "--seed", "1")]):
        answer = texprior("degrade", *arguments, "--with", "rain", "-o", tmp_path / str(number), "--json")
        assert answer.code == 0, answer.err
        (made,) = answer.json["pictures"]
        found.append(read(made["degraded"]))
        error = np.sqrt(((found[-1] - read(image)) ** 2).mean())
        # of the picture as the file holds it
        assert made["rmse"] == pytest.approx(error, abs=1e-7)
    assert (found[0] == found[1]).all()
    assert (found[0] != found[2]).any()


@pytest.mark.parametrize(
    ("named", "fragment"),
    [
        ("guidd", "there is no decomposition 'guidd'; did you mean 'guided'?"),
        ("{guided: {epz: 1}}", "decomposition.guided.epz: unknown key; did you mean 'eps'?"),
        ("{guided: {eps: 3}}", "decomposition.guided.eps: input should be less than or equal to 1"),
        ("[guided", "expected a decomposition's name"),
        ("{guided: {}, l0: {}}", "expected a decomposition's name"),
        ("!!python/name:os.system", "expected a decomposition's name"),
    ],
)
def test_a_wrong_component(texprior, pictures, tmp_path, named, fragment):
    answer = texprior("decompose", pictures / "val", "--with", named, "-o", tmp_path / "out")
    assert (answer.code, answer.out) == (2, "")
    assert fragment in answer.err
    assert not (tmp_path / "out").exists()


def test_a_broken_picture_is_named_and_the_rest_are_done(texprior, pictures, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    answer = texprior("degrade", broken, pictures / "val", "--with", "rain", "-o", tmp_path / "out")
    assert answer.code == 1
    assert "broken.png: this is not a picture that can be read" in answer.err
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"chelsea.png", "china.png"}
    assert len(answer.out.splitlines()) == 2
    assert Path(tmp_path / "out" / "china.png").is_file()


@pytest.mark.parametrize("option", [("--alpha", "nan"), ("--amplify", "nan"), ("--amplify", "inf")])
def test_a_number_that_is_none(texprior, pictures, tmp_path, option):
    answer = texprior("decompose", pictures / "val", "--with", "guided", *option, "-o", tmp_path / "out")
    assert (answer.code, answer.out) == (2, "")
    assert f"{option[1]} is not a finite number" in answer.err
    assert not (tmp_path / "out").exists()


SEQUENCE = "{sequence: {steps: [rain_haze, {jpeg: {quality_min: 30, quality_max: 90}}]}}"


@pytest.mark.parametrize("named", ["raindrop", SEQUENCE, "steady"])
def test_a_recipe_makes_the_same_pictures_again(texprior, pictures, tmp_path, named):
    file = tmp_path / "steady_light.py"
    file.write_text(STEADY, encoding="utf-8")
    plugin = ["--plugin", file] if named == "steady" else []
    recipe = tmp_path / "recipes" / "out.json"
    options = ["--with", named, "--seed", "3", "--recipe", recipe, *plugin]
    first = texprior("degrade", pictures / "val", *options, "-o", tmp_path / "first", "--json")
    assert first.code == 0, first.err
    plain = texprior("degrade", pictures / "val", "--with", named, "--seed", "3", *plugin, "-o", tmp_path / "plain")
    again = texprior("degrade", pictures / "val", "--replay", recipe, *plugin, "-o", tmp_path / "again", "--json")
    assert (plain.code, again.code) == (0, 0), plain.err + again.err
    assert again.json["degradation"] == first.json["degradation"]
    for name in ("china.png", "chelsea.png"):
        made = [(tmp_path / run / name).read_bytes() for run in ("first", "plain", "again")]
        assert made[0] == made[1] == made[2]
    document = json.loads(recipe.read_text())
    assert document["degradation"] == first.json["degradation"]
    assert [p["file"] for p in document["pictures"]] == ["chelsea.png", "china.png"]


def test_a_recipe_of_an_earlier_version_is_replayed_as_it_was_made(texprior, pictures, tmp_path):
    """It lacks the option ``linear``: then the blur acted on sRGB values, which is other than today's default."""
    image, recipe = pictures / "val" / "china.png", tmp_path / "recipe.json"
    made = {}
    for linear in ("false", "true"):
        named = f"{{defocus: {{noise: 0, linear: {linear}}}}}"
        out = tmp_path / linear
        assert texprior("degrade", image, "--with", named, "-o", out, "--recipe", recipe).code == 0
        made[linear] = read(out / "china.png")
    assert (made["false"] != made["true"]).any()
    document = json.loads(recipe.read_text())
    del document["degradation"]["defocus"]["linear"]
    recipe.write_text(json.dumps(document))
    assert texprior("degrade", image, "--replay", recipe, "-o", tmp_path / "again").code == 0
    assert (read(tmp_path / "again" / "china.png") == made["false"]).all()


def test_a_recipe_can_be_read_and_changed(texprior, pictures, tmp_path):
    """One drop, written by hand, in the middle of a picture: the rest of the picture is as it was."""
    image, recipe = pictures / "val" / "china.png", tmp_path / "drop.json"
    height, width = read(image).shape[:2]
    drop = [width / 2, height / 2, 10.0, 50.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    pictured = {"file": "china.png", "width": width, "height": height, "recipe": {"drops": [drop]}}
    recipe.write_text(json.dumps({"degradation": "raindrop", "pictures": [pictured]}))
    answer = texprior("degrade", image, "--replay", recipe, "-o", tmp_path / "out")
    assert answer.code == 0, answer.err
    changed = np.abs(read(tmp_path / "out" / "china.png") - read(image)).max(-1) > 1.5 / 255
    rows, columns = np.nonzero(changed)
    assert changed.sum() > 200
    assert np.abs(rows - height / 2).max() <= 14
    assert np.abs(columns - width / 2).max() <= 14


@pytest.mark.parametrize(
    ("arguments", "text", "fragment"),
    [
        ([], "", "name a degradation with --with, or a file of recipes with --replay, and not both"),
        (["--with", "rain", "--replay", "R"], "{}", "and not both"),
        (["--replay", "R", "--seed", "1"], "{}", "--seed: a replay draws no random values; leave out --seed"),
        (["--replay", "R"], "{}", "this is not a file of recipes; 'texprior degrade --recipe' writes one"),
        (["--replay", "R"], "no json", "this is not a file of recipes"),
        (["--replay", "nowhere.json"], "", "--replay nowhere.json: the file cannot be read"),
        (["--replay", "R"], '{"degradation": "rainn", "pictures": []}', "no degradation 'rainn'; did you mean 'rain'?"),
        (
            ["--replay", "R"],
            '{"degradation": {"rain": {"density": 9}}, "pictures": []}',
            "degradation.rain.density: input should be less than or equal to 0.1",
        ),
    ],
)
def test_recipes_that_cannot_be_used(texprior, pictures, tmp_path, arguments, text, fragment):
    (tmp_path / "r.json").write_text(text)
    given = [tmp_path / "r.json" if a == "R" else a for a in arguments]
    answer = texprior("degrade", pictures / "val", *given, "-o", tmp_path / "out")
    assert (answer.code, answer.out) == (2, "")
    assert fragment in answer.err
    assert not (tmp_path / "out").exists()


def test_pictures_without_a_recipe_are_named(texprior, pictures, tmp_path):
    other = {"file": "china.png", "width": 3, "height": 2, "recipe": {"seed": 1}}
    (tmp_path / "r.json").write_text(json.dumps({"degradation": "rain", "pictures": [other]}))
    answer = texprior("degrade", pictures / "val", "--replay", tmp_path / "r.json", "-o", tmp_path / "out")
    assert answer.code == 1
    assert "chelsea.png: there is no recipe for this file name" in answer.err
    assert "px, but its recipe is for 3 x 2 px" in answer.err


STEADY = """
import torch

from texprior.plugin import Degradation, Options, hookimpl

class Steady:
    def __init__(self, options):
        pass

    def __call__(self, image_CHW, rng):
        return (image_CHW + 0.2 * torch.rand(image_CHW.shape, generator=rng)).clamp(0, 1)

@hookimpl
def texprior_degradations():
    return [Degradation("steady", f"{__name__}:Steady", Options, "Noise; it knows no recipes.")]
"""

FAULTY = """
from texprior.plugin import Degradation, Options, hookimpl

class Faulty:
    def __init__(self, options):
        pass

    def __call__(self, image_CHW, rng):
        raise ZeroDivisionError("no light")

@hookimpl
def texprior_degradations():
    return [Degradation("faulty", f"{__name__}:Faulty", Options, "Fails.")]
"""


def test_what_a_plugin_raises_names_the_plugin_and_the_picture(texprior, pictures, tmp_path, monkeypatch):
    file = tmp_path / "faulty_light.py"
    file.write_text(FAULTY, encoding="utf-8")
    command = ["degrade", pictures / "val" / "china.png", "--with", "faulty", "-o", tmp_path, "--plugin", file]
    answer = texprior(*command)
    assert (answer.code, answer.out) == (1, "")
    assert "degradation 'faulty' failed on" in answer.err
    assert "china.png: ZeroDivisionError: no light" in answer.err
    assert "internal error" not in answer.err


def test_a_degradation_that_is_not_finite_is_named(texprior, pictures, tmp_path):
    file = tmp_path / "no_numbers.py"
    file.write_text(FAULTY.replace('raise ZeroDivisionError("no light")', "return image_CHW * float('nan')"), "utf-8")
    answer = texprior("degrade", pictures / "val" / "china.png", "--with", "faulty", "-o", tmp_path, "--plugin", file)
    assert answer.code == 1
    assert "degradation 'no-numbers/faulty'" in answer.err
    assert "the degraded picture has values that are not finite" in answer.err
