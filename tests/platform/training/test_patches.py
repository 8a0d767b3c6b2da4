"""Prepared photographs and patches: functions of (seed, sample number), and a cache that changes nothing."""

import itertools
from collections import Counter

import pytest
import torch

from texprior.diffusion.keys import permutation
from texprior.errors import ImageError, TexpriorError
from texprior.training.patches import TOGETHER, Patches, Pool, require_size


def prepare(key: str):
    n = int(key)
    picture = torch.arange(3 * 40 * 50, dtype=torch.float32).reshape(3, 40, 50) + 10000 * n
    return {"picture": picture, "structure": -picture, "code": torch.full((4, 2), float(n))}


def pool(cache_mb=100, n=5, broken=()):
    def careful(key):
        if key in broken:
            raise ImageError(f"{key}: cannot be read")
        return prepare(key)

    return Pool([str(i) for i in range(n)], careful, cache_mb)


def test_patches_of_all_pictures_are_cut_alike():
    batch = Patches(pool(), 16, seed=3).batch(range(20))
    assert batch["picture"].shape == (20, 3, 16, 16)
    assert torch.equal(batch["structure"], -batch["picture"])
    assert torch.equal(batch["code"][:, 0, 0], (batch["picture"][:, 0, 0, 0] // 10000))


def test_a_patch_is_a_function_of_its_number_alone():
    one = Patches(pool(), 16, seed=3)
    together = one.batch(range(12))["picture"]
    backwards = torch.stack([Patches(pool(), 16, seed=3).sample(n)["picture"] for n in reversed(range(12))])
    assert torch.equal(together, backwards.flip(0))
    assert not torch.equal(together, Patches(pool(), 16, seed=4).batch(range(12))["picture"])


def test_every_photograph_comes_once_an_epoch():
    codes = Patches(pool(), 16, seed=3).batch(range(15))["code"][:, 0, 0]
    for epoch in codes.split(5):
        assert sorted(epoch.tolist()) == [0, 1, 2, 3, 4]


def test_a_small_cache_changes_nothing_but_forgets(monkeypatch):
    small = pool()
    small.room = 30000
    kept = Patches(small, 16, seed=3).batch(range(15))["picture"]
    assert torch.equal(kept, Patches(pool(), 16, seed=3).batch(range(15))["picture"])
    assert not small.kept  # each of them is larger


@pytest.mark.parametrize("share", [0.1, 0.5, 0.75, 1.0])
@pytest.mark.parametrize("per_visit", [1, 4])
def test_an_epoch_finds_as_many_photographs_as_fit(share, per_visit):
    """LRU finds 0.3, 15 and 41 % of them at 10, 50 and 75 %: what it drops is often what the next epoch begins with."""
    n = 13 * TOGETHER
    asked, some, hits = [], pool(n=n), []
    some.room = int(share * n) * 48_032  # bytes of one of them: 2 pictures of 3 x 40 x 50 values, and a code of 8
    inner = some.prepare
    some.prepare = lambda key: (asked.append(key), inner(key))[1]
    patches = Patches(some, 16, seed=3, per_visit=per_visit)
    for epoch in range(3):
        before = len(asked)
        for number in range(epoch * n * per_visit, (epoch + 1) * n * per_visit):
            patches.sample(number)
            assert some.bytes <= some.room
        hits.append(n - (len(asked) - before))
    # those that take turns at the end of an epoch fill room that the next epoch has to fill again
    lost = TOGETHER if per_visit > 1 and share < 1 else 0
    assert hits[0] == 0
    assert all(int(share * n) - lost <= hit <= int(share * n) for hit in hits[1:])


def test_a_broken_photograph_is_named_once_and_replaced(caplog):
    some = pool(broken=("2",))
    Patches(some, 16, seed=3).batch(range(15))
    assert some.broken == {"2": "2: cannot be read"}
    assert caplog.text.count("2: cannot be read") == 1


def test_nothing_readable_is_a_sentence():
    with pytest.raises(TexpriorError, match="none of the training photographs can be read"):
        pool(n=2, broken=("0", "1"))[0]


def test_too_small_for_a_patch_is_a_sentence():
    with pytest.raises(ImageError, match=r"cat: 50x40 px is smaller than the training patch of 64 px"):
        require_size(torch.zeros(3, 40, 50), 64, "cat")


def test_one_patch_a_visit_is_the_order_that_it_always_was():
    """Photograph n of an epoch is the n-th of its permutation, and the crop is drawn under the sample's number."""
    patches = Patches(pool(), 16, seed=3)
    orders = [permutation(5, 3, "order", epoch).tolist() for epoch in range(40)]
    assert [patches.photograph(n) for n in range(200)] == [i for order in orders for i in order]
    again = Patches(pool(), 16, seed=3, per_visit=1)
    assert torch.equal(again.batch(range(20))["picture"], patches.batch(range(20))["picture"])


@pytest.mark.parametrize(("n", "per_visit"), [(5, 3), (40, 4), (16, 2), (23, 7)])
def test_several_patches_a_visit_take_turns_and_share_what_a_photograph_costs(n, per_visit):
    some = pool(n=n)
    some.room = TOGETHER * 100_000  # what 16 of these photographs take, 96,256 bytes each
    asked = []
    inner = some.prepare
    some.prepare = lambda key: (asked.append(key), inner(key))[1]
    patches = Patches(some, 16, seed=3, per_visit=per_visit)
    block = TOGETHER * per_visit
    visited = [patches.photograph(i) for i in range(block)]
    visits = [patches.photograph(i) for i in range(TOGETHER)]
    assert visited == visits * per_visit
    plain = Patches(pool(n=n), 16, seed=3)
    numbers = [b * block + i for b in range(4) for i in range(TOGETHER)]
    assert [patches.photograph(i) for i in numbers] == [plain.photograph(i) for i in range(4 * TOGETHER)]
    for i in range(block):
        patches.sample(i)
    assert len(asked) == len(set(visits))
    assert torch.equal(patches.sample(7)["picture"], Patches(pool(n=n), 16, 3, per_visit).sample(7)["picture"])
    crops = [patches.sample(i)["picture"] for i in range(0, block, TOGETHER)]
    assert all(not torch.equal(a, b) for a, b in itertools.pairwise(crops))


def versioned(key: str):
    name, _, epoch = key.partition("#")
    item = prepare(name)
    return {**item, "code": torch.full((4, 2), float(epoch))}


@pytest.mark.parametrize("per_visit", [1, 4])
def test_a_fresh_pool_prepares_a_photograph_anew_for_every_epoch(per_visit):
    """Every epoch has its own version of each photograph, and no more is kept than takes turns."""
    asked = []

    def prepared(key):
        asked.append(key)
        return versioned(key)

    fresh = Pool([str(i) for i in range(48)], prepared, 1000, fresh=True)
    patches = Patches(fresh, 16, seed=3, per_visit=per_visit)
    batch = patches.batch(range(48 * per_visit * 3))
    assert sorted(asked) == sorted(f"{n}#{epoch}" for n in range(48) for epoch in range(3))
    assert len(fresh.kept) <= max(1, fresh.taking_turns)
    same = Patches(Pool([str(i) for i in range(48)], prepare, 1000), 16, seed=3, per_visit=per_visit)
    assert torch.equal(batch["picture"], same.batch(range(48 * per_visit * 3))["picture"])


def test_a_fresh_pool_replaces_a_photograph_that_cannot_be_read_in_every_epoch(caplog):
    """It is tried once, and named once."""
    tried = []

    def prepared(key):
        tried.append(key)
        if key.startswith("2#"):
            raise ImageError("2: cannot be read")
        return versioned(key)

    fresh = Pool([str(i) for i in range(5)], prepared, 1000, fresh=True)
    codes = Patches(fresh, 16, seed=3).batch(range(15))["code"][:, 0, 0]
    assert codes.tolist() == [0.0] * 5 + [1.0] * 5 + [2.0] * 5
    assert [key for key in tried if key.startswith("2#")] == ["2#0"]
    assert list(fresh.broken) == ["2"]
    assert caplog.text.count("left out of training") == 1


def test_the_visits_of_a_photograph_that_cannot_be_read_go_to_different_ones():
    def careful(key):
        if key.startswith("bad"):
            raise ImageError(f"{key}: cannot be read")
        return prepare(key.partition("#")[0])

    keys = ["bad"] * 12 + ["1", "2", "3", "4"]
    visited = Counter(int(Pool(keys, careful, 100)[n]["code"][0, 0]) for n in range(16))
    assert visited.keys() == {1, 2, 3, 4}
    assert max(visited.values()) <= 7
    fresh = Pool(keys, careful, 100, fresh=True)
    assert sorted({int(fresh[n]["code"][0, 0]) for n in range(16)}) == [1, 2, 3, 4]
