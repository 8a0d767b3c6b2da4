"""What the controls of the page get: pictures of one result, and a sentence for whatever goes wrong."""

import numpy as np
import pytest

from texprior.cli.app.drawing import shown, texture_shown
from texprior.cli.app.restoring import Asked
from texprior.errors import TexpriorError
from texprior.flow.decompose import decompose
from texprior.flow.image import load_image
from texprior.flow.kinds import DECOMPOSITION

pytest.importorskip("gradio", reason="gradio is not installed; pip install 'texprior[app]'")

LOOK = (1.0, "input", 50, 50)


@pytest.fixture
def page(restorer):
    from texprior.cli.app.page import Page

    return Page(restorer)


def test_a_restoration_shows_input_result_texture_and_spread(page, restorer, file):
    said, compared, crops, texture, spread, asked = page.restore(file, 2, 3, False, 0.5, "input", 0, 0)
    result = restorer.restored(Asked(file, 2, 3))
    assert asked == Asked(file, 2, 3)
    assert "56x40 px, 6 calls of the network" in said
    left, right = compared["value"]
    assert np.array_equal(left, shown(result.degraded))
    assert np.array_equal(right, shown(result.at(0.5).picture))
    assert np.array_equal(texture, texture_shown(result.texture(0.5)))
    assert spread["visible"]
    assert f"{float(result.at(0.5).spread.max()):.3g} of the range" in spread["label"]
    assert crops.count("<img") == 4


def test_another_look_is_composed_and_the_photograph_is_shown_if_it_was_degraded(page, restorer, file, sampled):
    asked = page.restore(file, 1, 1, True, *LOOK)[-1]
    _, compared, crops, _, spread, again = page.compose(asked, 0.0, "prediction", 0, 0)
    result = restorer.restored(asked)
    assert again == asked
    assert np.array_equal(compared["value"][0], shown(result.found.estimate.clamp(0, 1)))
    assert np.array_equal(compared["value"][1], shown(result.found.base.clamp(0, 1)))
    assert crops.count("<img") == 5
    assert not spread["visible"]
    assert len(sampled) == 1


def test_the_layers_are_those_of_the_chosen_decomposition(page, file):
    said, structure, texture = page.split(file, "gaussian")
    registry = page.restorer.model.registry
    layers = decompose(load_image(file)[None], registry.build(DECOMPOSITION, page.decompositions["gaussian"]))
    assert np.array_equal(structure, shown(layers.structure))
    assert np.array_equal(texture, texture_shown(layers.texture))
    assert f"standard deviation of the texture {layers.texture.std(correction=0):.4f}" in said


def test_a_broken_picture_is_a_sentence_without_the_server_s_folder_and_the_old_pictures_go(page, tmp_path):
    path = tmp_path / "<i>.png"
    path.write_bytes(b"no picture")
    said, *rest = page.restore(str(path), 1, 1, False, *LOOK)
    assert said == ('<p class="error" role="alert">&lt;i&gt;.png: this is not a picture that can be read</p>')
    assert rest == [None, "", None, None, None]
    assert page.split(str(path), "guided") == [said, None, None]


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (RuntimeError("the moon"), "internal error: RuntimeError: the moon; please report it"),
        (TexpriorError("it is so"), "it is so"),
    ],
)
def test_whatever_is_raised_is_a_sentence(page, file, monkeypatch, error, sentence):
    def raising(*_):
        raise error

    monkeypatch.setattr(page.restorer, "restored", raising)
    said, *rest = page.compose(Asked(file, 1, 1), *LOOK)
    assert said == f'<p class="error" role="alert">{sentence}</p>'
    assert len(rest) == 5


def test_without_a_photograph_the_page_asks_for_one(page):
    for said, *_ in (page.restore(None, 1, 1, False, *LOOK), page.split(None, "guided")):
        assert said == '<p class="said">Choose a photograph.</p>'
    assert len(page.compose(None, *LOOK)) == 6
