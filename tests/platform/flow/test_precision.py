"""How exactly a GPU computes: asked for where it matters, and as before afterwards."""

import pytest
import torch

from texprior.flow.measure import Gathered, measure
from texprior.flow.precision import full_float32, repeatable_convolutions
from texprior.flow.prior import SemanticEncoder, encode

IMAGE = torch.rand(1, 3, 8, 8)


def tf32():
    return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32


@pytest.fixture(autouse=True)
def allowed():
    """TF32 is allowed everywhere, as after ``torch.set_float32_matmul_precision("high")``."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = tf32()
    matmul.allow_tf32 = cudnn.allow_tf32 = True
    yield
    matmul.allow_tf32, cudnn.allow_tf32 = before


class Spy(SemanticEncoder):
    """A metric of both scopes and an encoder, which keep the switches that they see."""

    key, width, tokens = "spy", 1, 1

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, image_BCHW, *reference):
        self.seen.append(tf32())
        # a score if it is called as a metric, else a code of one token
        return image_BCHW.mean((1, 2, 3)) if reference else image_BCHW.mean((1, 2, 3))[:, None, None]

    def features(self, image_BCHW):
        return self.forward(image_BCHW)[..., 0]


def test_metrics_and_net_s_use_no_tf32():
    spy = Spy()
    measure(IMAGE, None, {"spy": spy})
    Gathered({"spy": spy}).add("restored", "a", IMAGE, IMAGE)
    encode(IMAGE, spy)
    assert spy.seen == [(False, False)] * 4
    assert tf32() == (True, True)


def test_the_switches_are_put_back_after_an_error():
    before = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark

    def fail():
        with full_float32(), repeatable_convolutions():
            assert (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark) == (True, False)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark) == before
    assert tf32() == (True, True)
