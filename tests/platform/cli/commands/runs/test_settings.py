"""The settings of runs: which differ, and from what."""

import pytest

from texprior import config
from texprior.cli.commands.runs.settings import Difference, as_recorded, changed_settings, differences, settings_in
from texprior.errors import ConfigError
from texprior.registry import Registry


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


def recorded(registry, **more):
    return as_recorded(config.resolve({"name": "mine", **more}, registry).model_dump(mode="json"))


def test_an_experiment_of_defaults_differs_in_nothing(registry):
    assert changed_settings(recorded(registry), registry) == []


def test_options_are_held_against_the_defaults_of_their_own_component(registry):
    settings = recorded(registry, adapter={"sft": {"width": 24}}, sampling={"steps": 7})
    found = changed_settings({k: v for k, v in settings.items() if not k.startswith("sweep.")}, registry)
    default = str(config.resolve({"name": "x"}, registry).sampling.steps)
    width = recorded(registry, adapter="sft")["adapter.sft.width"]
    assert found == [
        Difference("adapter", "sft", "cga"),
        Difference("adapter.sft.width", "24", width),
        Difference("sampling.steps", "7", default),
    ]


def test_an_element_that_a_list_lacks_is_a_difference(registry):
    found = changed_settings(recorded(registry, data={"augmentations": []}), registry)
    assert Difference("data.augmentations.0.dihedral", None, "{}") in found


def test_equal_numbers_are_equal_however_they_are_written():
    assert differences({"a.b": "1", "a.c": "x"}, {"a.b": "1.0", "a.c": "y", "a.d": "null"}) == [
        Difference("a.c", "x", "y"),
        Difference("a.d", None, "null"),
    ]


def test_a_section_that_one_side_lacks_is_not_compared():
    assert differences({"a.b": "1", "sweep.trials": "3"}, {"a.b": "1"}) == []


@pytest.mark.parametrize("text", ["[1", "- 1", "\x00"])
def test_a_file_that_is_no_experiment_is_a_sentence(tmp_path, text):
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"config\.yaml: this"):
        settings_in(tmp_path / "config.yaml")
