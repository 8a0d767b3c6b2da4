"""What a predictor is trained by: its estimate, further outputs, and a loss that sees the degraded picture."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from texprior.errors import ContractError
from texprior.flow.objective import Learned, Objective
from texprior.flow.predict import InitialPredictor, learned_by, own_loss, predict
from texprior.training.losses import prediction_loss, prediction_outputs
from texprior.training.patches import Patches, Pool


class OfOld(InitialPredictor):
    """A predictor as of API 1: y_d times a number."""

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(0.5))

    def forward(self, degraded_BCHW):
        return self.gain * degraded_BCHW

    def loss(self, estimate_BCHW, clean_BCHW):
        return (estimate_BCHW - clean_BCHW).square().mean(dim=(1, 2, 3))


class TwoScales(OfOld):
    """Also estimates the picture at half the size, and is told how far it may stay from the degraded picture."""

    def learned(self, degraded_BCHW):
        return self(degraded_BCHW), {"half": self.gain * F.avg_pool2d(degraded_BCHW, 2)}

    def loss_from(self, learned: Learned):
        coarse = self.loss(learned.auxiliary["half"], F.avg_pool2d(learned.target, 2))
        return self.loss(learned.estimate, learned.inputs["degraded"]) + 10 * coarse


class OfAuxiliary(Objective):
    def forward(self, learned):
        return learned.auxiliary["half"].mean(dim=(1, 2, 3))


@pytest.fixture(scope="module")
def patches():
    def prepare(key):
        rng = torch.Generator().manual_seed(int(key))
        return {name: torch.rand(3, 16, 16, generator=rng) for name in ("clean", "degraded")}

    return Patches(Pool(["1", "2"], prepare, cache_mb=1), 16, seed=0)


def test_a_predictor_of_old_is_trained_by_the_loss_of_its_estimate(patches):
    predictor, batch = OfOld(), patches.batch([0, 1])
    expected = (0.5 * batch["degraded"] - batch["clean"]).square().mean(dim=(1, 2, 3))
    assert torch.equal(prediction_loss(predictor, patches, False, [0, 1]), expected)


@pytest.mark.parametrize("amp", [False, True])
def test_further_outputs_and_the_input_reach_the_loss(patches, amp):
    """Against the formula of the loss, with its derivative by the one parameter."""
    predictor, batch = TwoScales(), patches.batch([0, 1])
    y, x = batch["degraded"], batch["clean"]
    half_y, half_x = F.avg_pool2d(y, 2), F.avg_pool2d(x, 2)
    loss = prediction_loss(predictor, patches, amp, [0, 1])
    expected = (0.5 * y - y).square().mean(dim=(1, 2, 3)) + 10 * (0.5 * half_y - half_x).square().mean(dim=(1, 2, 3))
    torch.testing.assert_close(loss, expected)
    loss.mean().backward()
    slope = 2 * ((0.5 * y - y) * y).mean() + 20 * ((0.5 * half_y - half_x) * half_y).mean()
    torch.testing.assert_close(predictor.gain.grad, slope)


def test_an_objective_gets_the_further_outputs(patches):
    found = prediction_loss(TwoScales(), patches, False, [0, 1], OfAuxiliary())
    torch.testing.assert_close(found, 0.5 * patches.batch([0, 1])["degraded"].mean(dim=(1, 2, 3)))


def test_further_outputs_are_detached_with_the_estimate(patches):
    learned = learned_by(TwoScales(), patches.batch([0]))
    assert learned.auxiliary["half"].requires_grad
    assert not learned.detached().auxiliary["half"].requires_grad


def test_what_is_not_finite_among_them_is_the_predictors(patches):
    class Broken(TwoScales):
        def learned(self, degraded_BCHW):
            return self(degraded_BCHW), {"half": F.avg_pool2d(degraded_BCHW, 2) / 0}

    found = [
        (path, bool(tensor.isfinite().all())) for path, tensor in prediction_outputs(Broken(), patches, False, [0])
    ]
    assert ("predictor", False) in found[:-1]


def test_a_restoration_makes_the_estimate_alone(patches):
    class OnlyInTraining(TwoScales):
        def learned(self, degraded_BCHW):
            raise AssertionError("a restoration asks for further outputs")

    y = patches.batch([0])["degraded"]
    assert torch.equal(predict(y, OnlyInTraining()), 0.5 * y)


@pytest.mark.parametrize(
    ("learned", "said"),
    [
        (lambda y: y, "what learned returns is a Tensor; expected an estimate and a mapping"),
        (lambda y: (y, [y]), "the second part of what learned returns is a list"),
        (lambda y: (y[..., 1:], {}), "the estimate has shape (1, 3, 16, 15); expected (1, 3, 16, 16)"),
        (lambda y: (y, {"half": y[:0]}), "'half' of what learned returns has shape (0, 3, 16, 16); expected (1, 3,"),
        (lambda y: (y, {"half": y > 0}), "'half' of what learned returns is torch.bool"),
        (lambda y: (y, {"half": 1.0}), "'half' of what learned returns is a float"),
    ],
)
def test_what_breaks_the_contract_is_named(patches, learned, said):
    predictor = OfOld()
    predictor.learned = learned
    with pytest.raises(ContractError) as caught:
        own_loss(predictor, learned_by(predictor, patches.batch([0])))
    assert said in str(caught.value)
