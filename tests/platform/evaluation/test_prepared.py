"""Pictures are prepared once, however often controls ask for them, and leave memory when they are forgotten."""

import pytest

from texprior.errors import ImageError
from texprior.evaluation.prepared import PreparedOnce


def test_a_picture_is_prepared_once_until_it_is_forgotten():
    asked = []
    once = PreparedOnce(lambda key: asked.append(key) or object())
    first = once("a")
    assert once("a") is first is not once("b")
    once.forget(["a", "never seen"])
    assert once("a") is not first
    assert asked == ["a", "b", "a"]


def test_a_picture_that_cannot_be_read_is_named_each_time():
    def broken(key):
        raise ImageError(f"{key}: cut off")

    once = PreparedOnce(broken)
    for _ in range(2):
        with pytest.raises(ImageError, match="cut off"):
            once("a")
