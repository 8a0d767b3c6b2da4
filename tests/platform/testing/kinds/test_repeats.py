"""Work that is repeated from step to step is told from work on x_t and from work on the weights."""

import torch
from torch.nn import functional as F

from texprior.testing.kinds.repeats import repeated_work

WEIGHT = torch.randn(3, 3, 3, 3, generator=torch.Generator().manual_seed(0))
MATRIX = torch.randn(8, 8, generator=torch.Generator().manual_seed(1))
X, OTHER_X, Y, OTHER_Y = torch.randn(4, 1, 3, 8, 8, generator=torch.Generator().manual_seed(2)).unbind(0)


def found(step):
    return repeated_work(lambda: step(X, Y), lambda: step(OTHER_X, Y), lambda: step(X, OTHER_Y))


def test_work_on_x_is_not_repeated():
    assert found(lambda x, y: F.conv2d(x, WEIGHT) + F.conv2d(x + y, WEIGHT)) == []


def test_work_on_the_weights_alone_is_no_feature():
    assert found(lambda x, y: x @ (MATRIX @ MATRIX) + y) == []


def test_cheap_work_on_the_picture_is_let_be():
    assert found(lambda x, y: F.conv2d(x, WEIGHT).sum() + (2 * y).clamp(0, 1).sum()) == []


def test_work_on_the_picture_alone_is_counted_by_name():
    def step(x, y):
        return F.conv2d(x, WEIGHT) + F.conv2d(y, WEIGHT) + F.conv2d(2 * y, WEIGHT), y @ MATRIX, F.interpolate(y, size=4)

    assert found(step) == ["2 x conv2d", "1 x interpolate", "1 x matmul"]


def test_what_is_kept_from_the_first_call_on_is_not_repeated():
    kept = {}

    def step(x, y):
        if id(y) not in kept:
            kept[id(y)] = F.conv2d(y, WEIGHT)
        return F.conv2d(x, WEIGHT) + kept[id(y)]

    assert found(step) == []
