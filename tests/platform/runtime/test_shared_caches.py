"""The last value is kept under its key; the old one is gone before a new one is made."""

import gc
import weakref

import pytest

from texprior.runtime.shared_caches import LastValue, SharedCaches


class Big:
    pass


def test_a_value_is_made_once_for_its_key_and_the_old_one_goes_first():
    cache, alive = LastValue[Big](), []
    first = weakref.ref(cache.get("a", Big))
    assert cache.get("a", lambda: pytest.fail("made again")) is first()

    def make():
        gc.collect()
        alive.append(first() is not None)
        return Big()

    second = cache.get("b", make)
    assert alive == [False]
    assert cache.get("b", make) is second
    cache.clear()
    assert cache.get("b", make) is not second


def test_what_could_not_be_made_leaves_nothing():
    cache = LastValue[Big]()
    cache.get("a", Big)
    with pytest.raises(MemoryError):
        cache.get("b", lambda: (_ for _ in ()).throw(MemoryError()))
    assert isinstance(cache.get("a", Big), Big)


def test_two_sessions_share_nothing_unless_they_are_told():
    assert SharedCaches().splits is not SharedCaches().splits
