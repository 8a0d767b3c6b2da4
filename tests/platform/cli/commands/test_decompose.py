"""``texprior decompose``: layers, ``--match-std`` and ``--report``."""

import csv
import json

import numpy as np
import pytest
from PIL import Image


def read(path):
    return np.asarray(Image.open(path), dtype=np.float64) / 255


def test_the_strength_found_gives_the_deviation_asked_for(texprior, pictures, tmp_path):
    answer = texprior("decompose", pictures / "val", "--with", "{guided: {radius: 4}}", "--match-std", "0.03", "--json")
    assert answer.code == 0, answer.err
    matched = answer.json["matched"]
    assert (
        answer.json["decomposition"] == matched["decomposition"] == {"guided": {"radius": 4, "eps": matched["value"]}}
    )
    assert (matched["option"], matched["target"], matched["pictures"]) == ("eps", 0.03, 2)
    assert matched["texture_std"] == pytest.approx(0.03, rel=0.01)
    named = json.dumps(matched["decomposition"])
    layers = texprior("decompose", pictures / "val", "--with", named, "-o", tmp_path / "out", "--json").json["pictures"]
    textures = [read(made["picture"]) - read(made["structure"]) for made in layers]
    together = np.concatenate([texture.ravel() for texture in textures]).std()
    assert together == pytest.approx(matched["texture_std"], rel=0.01)


def test_layers_at_the_strength_found_are_written_where_o_says(texprior, pictures, tmp_path):
    options = ["--with", "gaussian", "--match-std", "0.02", "-o", tmp_path / "out"]
    answer = texprior("decompose", pictures / "val" / "china.png", *options, "--json")
    (made,) = answer.json["pictures"]
    assert made["texture_std"] == pytest.approx(0.02, rel=0.01)
    texture = read(pictures / "val" / "china.png") - read(made["structure"])
    assert texture.std() == pytest.approx(0.02, rel=0.02)
    spoken = texprior("decompose", pictures / "val" / "china.png", *options[:4])
    assert spoken.out.startswith(f"gaussian: sigma {answer.json['matched']['value']:.5g}, texture_std 0.0")


def test_a_report_on_several(texprior, pictures, tmp_path):
    options = ["--with", "{gaussian: {sigma: 2}}", "--with", "guided", "--with", "none"]
    answer = texprior("decompose", pictures / "train", *options, "--report", "--json", "-o", tmp_path / "out")
    assert answer.code == 0, answer.err
    rows = answer.json["decompositions"]
    assert [row["decomposition"] for row in rows] == ["gaussian", "guided", "none"]
    assert rows[0]["options"] == {"sigma": 2.0}
    assert rows[0]["r2"] > 0.4 > rows[1]["r2"] > 0.05 > rows[2]["r2"]
    assert answer.json["reference"] == "gaussian"
    with (tmp_path / "out" / "decompositions.csv").open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert [float(row["texture_std"]) for row in table] == [row["texture_std"] for row in rows]
    assert [json.loads(row["options"]) for row in table] == [row["options"] for row in rows]
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"decompositions.csv"}
    spoken = texprior("decompose", pictures / "train", *options, "--report")
    assert f"{rows[1]['texture_std']:.4f}" in spoken.out
    assert f"{rows[1]['r2']:.3f}" in spoken.out


def test_a_report_at_equal_deviation(texprior, pictures):
    options = ["--with", "gaussian", "--with", "domain_transform", "--match-std", "0.03", "--report", "--json"]
    answer = texprior("decompose", pictures / "train", *options)
    assert answer.code == 0, answer.err
    assert [row["texture_std"] for row in answer.json["decompositions"]] == pytest.approx([0.03, 0.03], rel=0.01)


def test_a_broken_picture_is_named_and_the_rest_are_used(texprior, pictures, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    for more in (["--report"], ["--match-std", "0.02"]):
        answer = texprior("decompose", broken, pictures / "train", "--with", "gaussian", *more)
        assert answer.code == 1
        assert "broken.png: this is not a picture that can be read" in answer.err
        assert "gaussian" in answer.out


@pytest.mark.parametrize(
    ("options", "fragment"),
    [
        (["--with", "guided", "--with", "l0", "-o", "OUT"], "--with: name exactly one decomposition"),
        (["-o", "OUT"], "--with: name exactly one decomposition"),
        (["--with", "guided"], "Missing option '-o'"),
        (["--with", "none", "--match-std", "0.1"], "'none' declares no option as its strength"),
        (["--with", "gaussian", "--match-std", "0.9"], "no strength gives a texture of standard deviation 0.9"),
        (["--with", "gaussian", "--match-std", "0"], "0 is not in the range 0<x<1"),
        (["--with", "gaussian", "--match-std", "0.1", "--alpha", "1"], "--alpha and --amplify are for layers"),
        (["--report", "--amplify", "3"], "--alpha and --amplify are for layers"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(texprior, pictures, tmp_path, options, fragment):
    options = [tmp_path / "out" if option == "OUT" else option for option in options]
    answer = texprior("decompose", pictures / "train", *options)
    assert (answer.code, answer.out) == (2, "")
    assert fragment in answer.err
    assert not (tmp_path / "out").exists()


def test_one_picture_is_no_report(texprior, pictures):
    answer = texprior("decompose", pictures / "val" / "china.png", "--with", "gaussian", "--report")
    assert answer.code == 2
    assert "at least two photographs" in answer.err


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
