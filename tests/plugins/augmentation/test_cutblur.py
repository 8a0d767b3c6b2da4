"""cutblur: a rectangle of one picture in the other, and nothing where there is no pair."""

import pytest
import torch

from texprior.diffusion.keys import generator
from texprior.plugin import Ref
from texprior.registry import Registry

SIDE = 20


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


@pytest.fixture
def cutblur(registry):
    return lambda **options: registry.build("augmentation", Ref(name="cutblur", options=options))


@pytest.fixture
def pair():
    """A clean picture of ones, and a degraded one of zeros."""
    return {"clean": torch.ones(3, SIDE, SIDE), "degraded": torch.zeros(3, SIDE, SIDE)}


@pytest.mark.parametrize("side", [0.05, 0.3, 0.6, 0.95])
def test_a_square_of_one_picture_is_in_the_other(cutblur, pair, side):
    length, clean_inside, places = round(side * SIDE), 0, set()
    assert length**2 != SIDE**2 - length**2  # so that the mean tells which of the two is inside
    for number in range(200):
        found = cutblur(side=side)(pair, generator(0, number))
        assert torch.equal(found["clean"], torch.ones(3, SIDE, SIDE))
        mixed = found["degraded"]
        clean = mixed.sum() == 3 * length**2
        inside = (mixed[0] if clean else 1 - mixed[0]).bool()
        rows, columns = (torch.nonzero(inside.any(axis)).flatten().tolist() for axis in (1, 0))
        expected = torch.zeros(SIDE, SIDE, dtype=torch.bool)
        expected[rows[0] : rows[0] + length, columns[0] : columns[0] + length] = True
        assert torch.equal(inside, expected)
        assert torch.equal(mixed, mixed[:1].expand(3, -1, -1))
        places.add((rows[0], columns[0]))
        clean_inside += bool(clean)
    # 100 +- 7 of either direction, and the square is in many places
    assert 70 <= clean_inside <= 130
    assert len(places) >= min(0.9 * (SIDE - length + 1) ** 2, 70)


def test_its_inputs_stay_as_they_are(cutblur, pair):
    before = {name: picture.clone() for name, picture in pair.items()}
    cutblur()(pair, generator(0, 1))
    assert all(torch.equal(pair[name], before[name]) for name in pair)


def test_the_probability_is_that_of_a_change(cutblur, pair):
    changed = sum(bool(cutblur(probability=0.3)(pair, generator(0, n))["degraded"].any()) for n in range(500))
    # 150 +- 10, binomial
    assert 115 <= changed <= 185
    assert not any(cutblur(probability=0.0)(pair, generator(0, n))["degraded"].any() for n in range(50))


@pytest.mark.parametrize("names", [("picture", "structure"), ("clean", "estimate", "base"), ("clean", "degraded", "x")])
def test_where_there_is_more_or_less_than_a_pair_nothing_changes(cutblur, names):
    """What was derived from the degraded picture would no longer belong to it."""
    patch = {name: torch.rand(3, SIDE, SIDE, generator=generator(name)) for name in names}
    found = cutblur()(patch, generator(0, 0))
    assert all(torch.equal(found[name], patch[name]) for name in names)
