"""Dimensions from options, held against Optuna's own distributions."""

from fractions import Fraction
from pathlib import Path
from typing import Annotated

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from pydantic import Field

from texprior.config import resolve, search_space, with_overrides
from texprior.config.schema_studies import Range
from texprior.config.search_dimension import allowed_range, contains_value, count_values, tuned_dimensions
from texprior.plugin import Options, Tune
from texprior.registry import Registry


@pytest.fixture(scope="module")
def registry():
    registry = Registry()
    registry.register(Path(__file__).parents[1] / "fake_components.py")
    return registry


def options(registry, name):
    return registry.find("adapter", name).component.options


def asked(dimensions, registry):
    """The distributions that Optuna is asked for, and the values that it gave."""
    experiment = resolve({"name": "x", "sweep": {"space": dimensions}}, registry)
    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0)).ask()
    return search_space.suggest_values(trial, experiment.sweep), trial.distributions


def test_every_form_of_a_mark_is_the_distribution_that_it_says(registry):
    _, distributions = asked({"adapter": ["cga"]}, registry)
    assert distributions == {
        "adapter": CategoricalDistribution(["cga"]),
        "adapter.cga.width": IntDistribution(4, 64),
        "adapter.cga.rate": FloatDistribution(1e-4, 1e-1, log=True),
        "adapter.cga.drop": FloatDistribution(0.0, 1.0),
        "adapter.cga.maybe": IntDistribution(1, 5),
        "adapter.cga.channels": IntDistribution(8, 32, step=8),
        "adapter.cga.grid": FloatDistribution(0.0, 1.0, step=0.25),
        "adapter.cga.bias": CategoricalDistribution([False, True]),
        "adapter.cga.form": CategoricalDistribution(["add", "mul", None]),
        "adapter.cga.colour": CategoricalDistribution(["red", "blue"]),
        "adapter.cga.gate.scale": FloatDistribution(0.0, 1.0),
    }


def test_the_open_bounds_of_whole_numbers_are_their_neighbours(registry):
    assert tuned_dimensions(options(registry, "neighbour"))["width"] == Range(low=3, high=8, integer=True)


def test_optional_options_are_searched_where_they_are_there_by_default(registry):
    found = tuned_dimensions(options(registry, "neighbour"))
    assert set(found) == {"width", "deep.scale"}
    experiment = resolve({"name": "x", "adapter": "neighbour"}, registry)
    trial = with_overrides(experiment, {"adapter.neighbour.deep.scale": 0.25}, registry)
    assert trial.adapter.options["deep"] == {"scale": 0.25, "order": 2}


def test_a_wrong_mark_hides_no_other(registry):
    faults = {}
    assert tuned_dimensions(options(registry, "open"), faults) == {}
    assert faults == {"width": "has no bounds; give them to Tune, or to its Field as ge and le"}


@pytest.mark.parametrize(
    ("dimension", "distribution"),
    [
        (Range(low=1, high=9, step=2, integer=True), IntDistribution(1, 9, step=2)),
        (Range(low=1, high=64, log=True, integer=True), IntDistribution(1, 64, log=True)),
        (Range(low=0.0, high=1.0, step=0.25), FloatDistribution(0.0, 1.0, step=0.25)),
        (Range(low=0.1, high=0.7, step=0.1), FloatDistribution(0.1, 0.7, step=0.1)),
        (Range(low=1e-4, high=1.0, log=True), FloatDistribution(1e-4, 1.0, log=True)),
        ([False, True], CategoricalDistribution([False, True])),
    ],
)
def test_membership_and_size_are_optunas(dimension, distribution):
    if isinstance(distribution, CategoricalDistribution):
        assert [contains_value(dimension, v) for v in (False, True, "x")] == [True, True, False]
        assert count_values(dimension) == len(distribution.choices)
        return
    tried = range(-2, 70) if isinstance(distribution, IntDistribution) else [v / 16 for v in range(-8, 20)] + [0.1, 0.3]
    assert [contains_value(dimension, v) for v in tried] == [distribution._contains(v) for v in tried]
    step = distribution.step if not distribution.log or isinstance(distribution, IntDistribution) else None
    if step is not None:
        low, high, step = (Fraction(str(v)) for v in (distribution.low, distribution.high, step))
        assert count_values(dimension) == (high - low) // step + 1
    else:
        assert count_values(dimension) == float("inf")


def test_a_component_may_be_named_with_its_distribution(registry):
    qualified = "fake-components/thin"
    _, distributions = asked({"adapter": [qualified, "plain"]}, registry)
    assert set(distributions) <= {"adapter", f"adapter.{qualified}.rank"}
    experiment = resolve({"name": "x", "sweep": {"space": {"adapter": [qualified]}}}, registry)
    assert experiment.sweep.space[f"adapter.{qualified}.rank"] == Range(low=1, high=32, log=True, integer=True)
    trial = with_overrides(experiment, {"adapter": qualified, f"adapter.{qualified}.rank": 7}, registry)
    assert (trial.adapter.name, trial.adapter.options) == (qualified, {"rank": 7})


class ShareOptions(Options):
    share: Annotated[float, Field(ge=1e-4, le=1.0), Tune(0.01, 0.5, log=True)] = 0.1
    other: int = 3


class StepOptions(Options):
    steps: Annotated[int, Field(ge=1, le=20), Tune(2, 10)] = 4


class OpenOptions(Options):
    share: Annotated[float, Field(gt=0)] = 0.1


def test_the_range_of_an_option():
    whole = allowed_range(ShareOptions, "share")
    assert (whole.low, whole.high, whole.log) == (1e-4, 1.0, True)
    assert allowed_range(StepOptions, "steps").integer
    assert allowed_range(OpenOptions, "share") is None
