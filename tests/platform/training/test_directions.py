"""An augmentation that turns patches of falling rain is named; what is not known is not."""

import pytest

from texprior import config
from texprior.registry import Registry
from texprior.runtime.session import Session
from texprior.training.directions import direction_notes

NOTE = (
    "data.augmentations: 'dihedral' turns patches, and degradation {} has a direction: half of the trained patches "
    "show it falling sideways; set data.augmentations: [mirror]"
)


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


@pytest.fixture
def notes(registry):
    def found(*stages, **settings):
        experiment = config.resolve({"name": "x", "events": [], **settings}, registry)
        return direction_notes(experiment, registry, stages or ["predictor"])

    return found


@pytest.mark.parametrize("degradation", ["rain", "rain_haze", "snow"])
def test_what_falls_is_named_where_patches_are_turned(notes, degradation):
    expected = [NOTE.format(f"'{degradation}'")]
    assert notes(degradation=degradation) == expected
    assert notes("adapter", degradation=degradation) == expected
    assert notes("prior", degradation=degradation) == []  # it sees clean photographs
    assert notes(degradation=degradation, data={"augmentations": ["mirror", "cutblur"]}) == []
    assert notes(degradation=degradation, data={"augmentations": []}) == []


def test_a_degradation_inside_another_one_is_named(notes):
    found = notes(degradation={"sequence": {"steps": ["snow", "jpeg", "rain", "snow"]}})
    assert found == [NOTE.format("'snow', 'rain'")]


@pytest.mark.parametrize("degradation", ["defocus", "raindrop", "haze", "noise_jpeg"])
def test_what_has_no_direction_is_not_named(notes, degradation):
    assert notes(degradation=degradation) == []


def test_nothing_is_said_of_pictures_that_are_not_synthesised(notes):
    assert notes(degradation=None) == []


def test_a_session_says_it_once_whatever_it_trains(registry):
    said = []
    session = Session(config.resolve({"name": "x"}, registry), registry, say=said.append)
    for _ in range(2):
        session.with_(parent_run="p").say_once("warning: sideways")
    session.say_once("warning: other")
    assert said == ["warning: sideways", "warning: other"]
