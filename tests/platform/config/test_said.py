"""What an experiment states itself, with its parents and its overrides, and what it leaves open."""

import pytest

from texprior import config
from texprior.registry import Registry


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


@pytest.fixture
def said(registry, tmp_path):
    def said(text, *overrides, parent=""):
        (tmp_path / "parent.yaml").write_text(parent or "name: p\n", encoding="utf-8")
        (tmp_path / "own.yaml").write_text(text, encoding="utf-8")
        return config.load_said(tmp_path / "own.yaml", registry, overrides)

    return said


def test_a_file_its_parents_and_overrides_state_settings(said):
    found = said(
        "extends: parent.yaml\ndecomposition: guided\nsampling: {steps: 3}\n",
        "adapter.cga.width=8",
        parent="name: p\nencoder: none\nmatch_texture_std: null\n",
    )
    stated = {
        "decomposition",
        "sampling",
        "sampling.steps",
        "encoder",
        "match_texture_std",
        "adapter.cga.width",
        "adapter",
    }
    assert {path for path in stated if path in found} == stated
    left_open = ("decomposition.guided.eps", "sampling.tile", "data.val", "adapter.cga.kernel", "sampling.step")
    assert [path for path in left_open if path in found] == []


def test_options_of_a_component_that_was_replaced_are_not_stated(said):
    found = said("name: a\ndecomposition: {guided: {eps: 0.1}}\n", "decomposition=l0")
    assert "decomposition" in found
    assert "decomposition.guided.eps" not in found


def test_an_element_of_a_list_states_the_list(said):
    assert "degradation.sequence.steps" in said("name: a\n", "degradation.sequence.steps.1.jpeg.quality_max=40")


def test_a_stored_experiment_states_everything():
    assert "sampling.tile" in config.ALL_SAID
