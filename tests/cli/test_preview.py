"""``texprior decompose`` and ``texprior degrade``."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def read(path):
    return np.asarray(Image.open(path), dtype=np.float64) / 255


def test_the_layers_add_up_to_the_picture(texprior, pictures, tmp_path):
    options = ["--with", "{guided: {eps: 0.02}}", "--alpha", "0", "--alpha", "1", "--amplify", "2", "--json"]
    answer = texprior("decompose", pictures / "val", *options, "-o", tmp_path / "out")
    assert answer.code == 0, answer.err
    assert answer.json["decomposition"] == {"guided": {"radius": 8, "eps": 0.02}}
    for made in answer.json["pictures"]:
        picture, structure, shown = read(made["picture"]), read(made["structure"]), read(made["texture"])
        texture = (shown - 0.5) / made["amplified"]
        assert made["amplified"] == 2
        unclipped = (shown > 0) & (shown < 1)
        rounding = 0.5 / 255 * (1 + 1 / 2) + 1e-6
        assert np.abs(structure + texture - picture)[unclipped].max() <= rounding
        assert made["texture_std"] == pytest.approx((picture - structure).std(), rel=0.01)
        none, all_ = (read(path) for path in made["recomposed"])
        assert (none == structure).all()
        assert (all_ == picture).all()


def test_more_strength_is_more_texture(texprior, pictures, tmp_path):
    image = pictures / "val" / "china.png"
    stds = []
    for eps in ("0.001", "0.01", "0.1"):
        answer = texprior("decompose", image, "--with", f"{{guided: {{eps: {eps}}}}}", "-o", tmp_path / eps, "--json")
        stds.append(answer.json["pictures"][0]["texture_std"])
    assert stds == sorted(stds)
    assert stds[0] < 0.5 * stds[2]


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
        assert made["rmse"] == pytest.approx(error, abs=0.5 / 255)
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
    assert f"{option[1]} is no finite number" in answer.err
    assert not (tmp_path / "out").exists()


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
