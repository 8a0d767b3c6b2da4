"""The layers of the page: every installed decomposition, by its name, with its default options."""

import pytest
import torch

from texprior.cli.app.layers import decompositions, split
from texprior.errors import TexpriorError
from texprior.flow.decompose import decompose
from texprior.flow.kinds import DECOMPOSITION
from texprior.plugin import Ref
from texprior.registry import Registry

PLUGIN = """
from pydantic import Field
from texprior.plugin import Decomposition, Options, hookimpl

class Needs(Options):
    radius: float
    "Radius, px."

class Fails:
    def __init__(self, options):
        pass

    def __call__(self, image):
        raise ValueError("the moon")

@hookimpl
def texprior_decompositions():
    made = [("guided", Options), ("needs", Needs)]
    return [Decomposition(name, "acme_smoothing:Fails", options=options, summary="Fails.") for name, options in made]
"""


@pytest.fixture
def registry():
    return Registry.discover()


@pytest.fixture(scope="module")
def with_another(tmp_path_factory):
    """A registry with somebody else's decompositions: one of a name that is taken, one without a default."""
    registry, file = Registry.discover(), tmp_path_factory.mktemp("plugin") / "acme_smoothing.py"
    file.write_text(PLUGIN, encoding="utf-8")
    registry.register(file)
    return registry


def test_every_decomposition_is_there_with_its_defaults(registry):
    found = decompositions(registry)
    assert list(found) == sorted(entry.component.name for entry in registry.entries("decomposition"))
    for name, ref in found.items():
        assert ref.options == registry.options_of("decomposition", Ref(name=name)).model_dump(mode="json"), name


def test_a_shared_name_comes_with_its_distribution_and_one_without_defaults_is_left_out(with_another):
    found = decompositions(with_another)
    mine = [entry.qualified for entry in with_another.entries("decomposition") if entry.component.name == "guided"]
    assert len(mine) == 2
    assert set(mine) <= set(found)
    assert "guided" not in found
    assert not [name for name in found if "needs" in name]


def test_the_layers_are_those_of_the_decomposition(registry):
    picture = torch.rand(1, 3, 24, 32, generator=torch.Generator().manual_seed(0))
    ref = decompositions(registry)["gaussian"]
    layers = split(registry, ref, picture, "photo.png")
    expected = decompose(picture, registry.build(DECOMPOSITION, ref))
    assert torch.equal(layers.structure, expected.structure)
    assert torch.equal(layers.texture, expected.texture)
    assert layers.texture.std() > 0.1


def test_a_decomposition_that_fails_is_a_sentence(with_another):
    theirs = next(e.qualified for e in with_another.entries("decomposition") if e.plugin.file)
    with pytest.raises(TexpriorError, match=r"decomposition '.*guided' failed on photo.png: ValueError: the moon"):
        split(with_another, Ref(name=theirs), torch.zeros(1, 3, 8, 8), "photo.png")
