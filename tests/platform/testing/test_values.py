"""Samples of a search space, the values that types list, and a grid over a strength."""

from collections import Counter
from enum import Enum
from typing import Annotated, Literal

import pytest
from pydantic import Field

from texprior.plugin import Options, Tune
from texprior.testing.values import SAMPLES, choices, ends, grid, is_tuned, samples


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


class Gate(Options):
    scale: Annotated[float, Field(ge=0, le=1), Tune()] = 1.0


class Wide(Options):
    width: Annotated[int, Field(ge=8, le=32, multiple_of=8), Tune()] = 16
    rate: Annotated[float, Field(gt=0, le=10), Tune(1e-4, 1e-1, log=True)] = 1e-2
    step: Annotated[float, Field(ge=0, le=1), Tune(step=0.25)] = 0.5
    kind: Annotated[Literal["a", "b"] | None, Tune()] = "a"
    colour: Colour = Colour.RED
    gate: Gate = Gate()
    plain: Annotated[int, Field(ge=1, le=3)] = 2
    name: str = "x"


def test_samples_lie_in_the_space_and_begin_with_its_ends():
    points = samples(Wide)
    assert len(points) == SAMPLES == 20
    assert points == samples(Wide)
    assert points[0] == {"width": 8, "rate": 1e-4, "step": 0, "kind": "a", "gate.scale": 0}
    assert points[1] == {"width": 32, "rate": 1e-1, "step": 1, "kind": None, "gate.scale": 1}
    assert {p["width"] for p in points} == {8, 16, 24, 32}
    assert {p["step"] for p in points} <= {0, 0.25, 0.5, 0.75, 1}
    assert {p["kind"] for p in points} == {"a", "b", None}
    assert all(1e-4 <= p["rate"] <= 1e-1 and 0 <= p["gate.scale"] <= 1 for p in points)


def test_a_logarithmic_option_is_drawn_evenly_over_its_decades():
    """Three decades: each is hit by a third of many samples (4 standard deviations of a binomial count, 63 of 600)."""
    decades = Counter(int(p["rate"] // 1e-3 > 0) + int(p["rate"] // 1e-2 > 0) for p in samples(Wide, 602)[2:])
    assert all(abs(count - 200) < 47 for count in decades.values())
    assert len(decades) == 3


def test_every_listed_value_comes_once_and_one_option_at_a_time():
    assert list(choices(Wide)) == [{"kind": "a"}, {"kind": "b"}, {"colour": "red"}, {"colour": "blue"}]
    assert list(choices(type("Flag", (Options,), {"__annotations__": {"on": bool}, "on": True}))) == [
        {"on": False},
        {"on": True},
    ]


def test_ends_are_those_of_the_field_and_of_the_search():
    assert list(ends(Wide)) == [
        *({"width": 8}, {"width": 32}),
        *({"rate": 10}, {"rate": 1e-4}, {"rate": 1e-1}),
        *({"step": 0}, {"step": 1}),
        *({"plain": 1}, {"plain": 3}),
    ]


def test_a_grid_covers_the_search_space_evenly_or_by_its_logarithm():
    assert grid(Wide, "rate", 4) == pytest.approx([1e-4, 1e-3, 1e-2, 1e-1])
    assert grid(Wide, "width", 3) == [8, 20, 32]
    assert grid(Wide, "plain", 5) == [1, 2, 3]
    assert grid(Gate, "scale", 3) == [0, 0.5, 1]


@pytest.mark.parametrize(("name", "reason"), [("strenght", "there is no option 'strenght'"), ("name", "no range")])
def test_what_has_no_grid_says_why(name, reason):
    with pytest.raises(ValueError, match=reason):
        grid(Wide, name, 3)


def test_a_mark_deep_inside_is_seen():
    class Outer(Options):
        gate: Gate = Gate()

    assert is_tuned(Outer)
    assert not is_tuned(Options)
