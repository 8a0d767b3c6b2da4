"""How exactly a GPU computes: asked for where it matters, and as before afterwards."""

import os

import pytest
import torch
from torch import nn

from texprior.errors import ConfigError
from texprior.flow import precision
from texprior.flow.condition import blurred
from texprior.flow.measure import Gathered, measure
from texprior.flow.precision import (
    CHOICE,
    autocast,
    full_float32,
    gains_from_bfloat16,
    precision_name,
    repeatable_convolutions,
    settle_bfloat16,
)
from texprior.flow.predict import predict
from texprior.flow.prior import SemanticEncoder, encode
from texprior.plugin import Options
from texprior_plugins.predictor.identity import Identity

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


def test_predictors_and_blurs_use_no_tf32(monkeypatch):
    """The adapter learns from estimates, and the prior from blurred conditions."""
    seen = []

    class Sees(Identity):
        def forward(self, degraded_BCHW):
            seen.append(tf32())
            return degraded_BCHW

    predict(IMAGE, Sees(Options()))
    real = torch.nn.functional.conv2d
    monkeypatch.setattr("texprior.flow.condition.F.conv2d", lambda *given: seen.append(tf32()) or real(*given))
    blurred(IMAGE, 1.0)
    assert seen == [(False, False)] * 3
    assert tf32() == (True, True)


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


CPU = torch.device("cpu")


@pytest.fixture
def untried(monkeypatch):
    """No device was tried yet, and the variable is not set."""
    monkeypatch.setenv(CHOICE, "")
    precision._cpu_gains.cache_clear()
    yield monkeypatch
    precision._cpu_gains.cache_clear()


def test_a_cpu_is_tried_once_and_computes_in_what_is_faster(untried):
    trials = [0.5]  # of float32's time; a second trial would find none
    untried.setattr(precision, "_trial", trials.pop)
    layer, x = nn.Conv2d(3, 4, 3), torch.rand(1, 3, 8, 8)
    for wanted, dtype in ((True, torch.bfloat16), (False, torch.float32)):
        with autocast(CPU, wanted):
            assert layer(x).dtype == dtype
        assert f"torch.{precision_name(CPU, wanted)}" == str(dtype)


@pytest.mark.parametrize(("time", "gains"), [(0.79, True), (0.81, False), (3.0, False)])
def test_float32_stays_where_bfloat16_is_hardly_faster(untried, time, gains):
    untried.setattr(precision, "_trial", lambda: time)
    assert gains_from_bfloat16(CPU) == gains


def test_the_trial_runs_here():
    assert 0 < precision._trial() < 100


@pytest.mark.parametrize(("choice", "gains"), [("yes", True), ("no", False)])
def test_the_variable_decides_without_a_trial(untried, choice, gains):
    untried.setattr(precision, "_trial", None)
    untried.setenv(CHOICE, choice)
    assert gains_from_bfloat16(CPU) == gains


def test_the_variable_counts_when_it_changes(untried):
    untried.setattr(precision, "_trial", [0.5].pop)
    assert gains_from_bfloat16(CPU)
    for choice, gains in (("no", False), ("yes", True), ("", True)):
        untried.setenv(CHOICE, choice)
        assert gains_from_bfloat16(CPU) == gains


@pytest.mark.parametrize(
    ("device", "chosen", "settled"), [("cpu", "", "yes"), ("cpu", "no", "no"), ("cuda", "", ""), ("mps", "", "")]
)
def test_a_process_computes_as_another_decided_unless_the_user_chose(untried, device, chosen, settled):
    untried.setenv(CHOICE, chosen)
    settle_bfloat16(torch.device(device), True)
    assert os.environ[CHOICE] == settled


def test_another_value_of_the_variable_is_refused(untried):
    untried.setenv(CHOICE, "bf16")
    with pytest.raises(ConfigError, match="TEXPRIOR_BFLOAT16 is 'bf16'; set it to yes or no, or leave it out"):
        gains_from_bfloat16(CPU)
