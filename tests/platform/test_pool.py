"""Prepared photographs and patches: functions of (seed, sample number), and a cache that changes nothing."""

import pytest
import torch

from texprior.errors import ImageError, TexpriorError
from texprior.pool import Patches, Pool, require_size


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
    assert len(small.kept) == 1


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
