"""Real pairs and photographs that are degraded, as one data set with weights."""

from collections import Counter

import numpy as np
import pytest
import torch
from PIL import Image

from texprior import config
from texprior.errors import ConfigError
from texprior.registry import Registry
from texprior.runtime.session import Session
from texprior.runtime.split_check import require_splits
from texprior.training.data import own_texture_pool, pair_pool
from texprior.training.match_strength import _sample
from texprior.training.patches import Patches


@pytest.fixture(scope="module")
def registry():
    return Registry.discover()


@pytest.fixture
def folders(tmp_path):
    """Two clean photographs, and one pair whose degraded picture is black."""
    rng = np.random.default_rng(0)
    for name in ("photographs/a", "photographs/b", "clean/c", "degraded/c"):
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        values = rng.integers(60, 200, (40, 48, 3), np.uint8) * (not name.startswith("degraded"))
        Image.fromarray(values.astype(np.uint8)).save(path)
    return [
        {"paired": {"degraded": str(tmp_path / "degraded"), "clean": str(tmp_path / "clean")}},
        {"folder": {"path": str(tmp_path / "photographs")}},
    ]


def session(registry, of, weights=None, degradation="defocus", **data):
    options = {"of": of} | ({"weights": weights} if weights else {})
    given = {"name": "x", "events": [], "degradation": degradation, "data": {"train": {"mixed": options}, **data}}
    return Session(config.resolve(given, registry), registry)


def test_pairs_keep_their_degraded_pictures_and_photographs_get_new_ones(registry, folders):
    of_both = session(registry, folders, variants=1)
    require_splits(of_both, "train")
    pool = pair_pool(of_both, 32)
    assert pool.keys == ["0/c#0", "1/a.png#0", "1/b.png#0"]
    assert pool[0]["degraded"].max() == 0 < pool[0]["clean"].min()
    for photograph in (pool[1], pool[2]):
        assert 0.02 < (photograph["degraded"] - photograph["clean"]).abs().mean() < 0.5


def test_each_picture_is_visited_as_often_as_its_weight_says(registry, folders):
    of_both = session(registry, folders, [3, 1], variants=2)
    pairs = pair_pool(of_both, 32)
    visited = Counter(pairs.keys[Patches(pairs, 32, 0).photograph(n)] for n in range(10))
    assert visited == {"0/c#0": 3, "0/c#1": 3, "1/a.png#0": 1, "1/a.png#1": 1, "1/b.png#0": 1, "1/b.png#1": 1}
    assert Counter(own_texture_pool(of_both).keys) == {"0/c": 3, "1/a.png": 1, "1/b.png": 1}


def test_a_photograph_is_degraded_anew_at_each_visit_of_an_epoch(registry, folders):
    pool = pair_pool(session(registry, folders[1:], [2], variants=None), 32)
    versions = [pool[index]["degraded"] for index in (0, 1, 4, 5)]  # two visits in the first epoch, two in the next
    assert [pool._key(index) for index in (0, 1, 4, 5)] == [f"0/a.png#{n}" for n in range(4)]
    assert all(not torch.equal(one, two) for i, one in enumerate(versions) for two in versions[:i])


def test_what_a_degradation_tells_is_not_a_number_for_a_pair(registry, folders):
    pool = pair_pool(session(registry, folders, variants=1), 32)
    told = [name for name in pool[1] if name.startswith("drawn/")]
    assert told
    for name in told:
        assert pool[0][name].isnan().all()
        assert pool[1][name].isfinite().all()


def test_a_data_set_of_data_sets_multiplies_the_weights(registry, folders):
    inner = {"union": {"of": [{"mixed": {"of": folders, "weights": [5, 1]}}]}}
    pool = own_texture_pool(session(registry, [inner], [2]))
    assert Counter(pool.keys) == {"0/0/0/c": 10, "0/0/1/a.png": 2, "0/0/1/b.png": 2}


@pytest.mark.parametrize(
    ("which", "degradation", "message"),
    [
        (
            slice(0, 1),
            "defocus",
            r"brings pairs of a mixed data set, but degradation is 'defocus'.*set 'degradation: null'",
        ),
        (slice(0, 2), None, r"brings clean pictures only and pairs of a mixed data set, but degradation is null"),
        (slice(1, 2), None, r"brings clean pictures only, but degradation is null.*name a degradation$"),
    ],
)
def test_a_degradation_must_have_something_to_do(registry, folders, which, degradation, message):
    with pytest.raises(ConfigError, match=message):
        require_splits(session(registry, folders[which], degradation=degradation), "train")


def test_a_model_of_mixed_pictures_can_be_judged_on_pairs_alone(registry, folders, tmp_path):
    others = [tmp_path / name for name in ("more", "black")]
    for path in others:
        path.mkdir()
        Image.new("RGB", (40, 48), (90, 0, 0)).save(path / "d.png")
    val = {"mixed": {"of": [{"paired": {"degraded": str(others[1]), "clean": str(others[0])}}]}}
    require_splits(session(registry, folders, val=val), "train", "val")
    plain = session(registry, folders, val=val["mixed"]["of"][0])
    with pytest.raises(ConfigError, match="or to one that brings both on purpose, such as 'mixed'"):
        require_splits(plain, "train", "val")


def test_there_are_as_many_weights_as_data_sets(registry, folders):
    with pytest.raises(ConfigError, match=r"data\.train\.mixed: there are 1 weights for 2 data sets; give one weight"):
        session(registry, folders, [1])


def test_a_small_data_set_at_the_end_is_looked_at_before_a_training(registry, folders, tmp_path):
    """Forty pairs and then two photographs: both kinds are seen, whichever comes first."""
    for side in ("degraded", "clean"):
        for n in range(40):
            Image.new("RGB", (48, 40), (n, 0, 90)).save(tmp_path / side / f"{n}.png")
    for of in (folders, folders[::-1]):
        require_splits(session(registry, of), "train")
        with pytest.raises(ConfigError, match="brings clean pictures only and pairs of a mixed data set"):
            require_splits(session(registry, of, degradation=None), "train")


def test_weights_count_in_a_matched_strength(registry, folders):
    """The strength is searched for on the photographs that the scale of the layer is measured on, as often as there."""
    of_both = session(registry, folders, [50, 1])
    seen = _sample(of_both)
    clean = of_both.pictures("train").dataset.load("0/c").clean
    assert len(seen) > 20
    assert sum(torch.equal(picture, clean) for picture in seen) > 0.8 * len(seen)


def test_equal_weights_are_the_same_training(registry, folders):
    one, none = (session(registry, folders, weights).experiment for weights in ([1, 1], None))
    assert one.data == none.data


def test_weights_that_would_fill_the_memory_are_refused(registry, folders):
    inner = {"mixed": {"of": folders, "weights": [10_000, 10_000]}}
    with pytest.raises(
        ConfigError, match=r"mixed' .*: the weights give 300,000,000 visits in an epoch; at most 2,000,000"
    ):
        own_texture_pool(session(registry, [inner], [10_000]))


def test_a_weight_is_a_number(registry, folders):
    with pytest.raises(ConfigError, match=r"data\.train\.mixed\.weights\.0"):
        session(registry, folders, [True, 1])
