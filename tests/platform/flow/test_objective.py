"""One backward pass for a network and what an objective trains; what is said about wrong losses."""

import pytest
import torch
from torch import nn

from texprior.errors import ContractError
from texprior.flow.objective import Learned, Objective, objective_loss


class Judge(Objective):
    """The network's loss depends on both; so does the objective's own."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(3.0))
        self.frozen = nn.Parameter(torch.tensor(5.0), requires_grad=False)

    def forward(self, learned):
        return self.weight * self.frozen * learned.estimate.mean(dim=(1, 2, 3))

    def own_loss(self, learned):
        return self.weight**2 * (learned.estimate + learned.output).mean(dim=(1, 2, 3))


@pytest.fixture
def learned():
    estimate = torch.arange(24.0).view(2, 3, 2, 2).requires_grad_()
    target = torch.zeros(2, 3, 2, 2)
    return Learned(estimate, target, target, output=2 * estimate)


def test_each_gets_its_own_gradient_from_one_backward_pass(learned):
    judge = Judge()
    loss = objective_loss(judge, learned)
    means = learned.estimate.detach().mean(dim=(1, 2, 3))
    assert torch.equal(loss, 15 * means)
    loss.sum().backward()
    assert torch.allclose(learned.estimate.grad, torch.full_like(learned.estimate, 15 / 12))
    # d/dw w^2 (3 mean) = 2 w 3 mean, summed over the pictures
    assert judge.weight.grad == pytest.approx(18 * float(means.sum()))
    assert judge.frozen.grad is None
    assert (judge.weight.requires_grad, judge.frozen.requires_grad) == (True, False)


def test_a_loss_that_raises_leaves_the_parameters_trainable(learned):
    class Raises(Judge):
        def forward(self, learned):
            raise ValueError("no")

    judge = Raises()
    with pytest.raises(ValueError, match="no"):
        objective_loss(judge, learned)
    assert judge.weight.requires_grad


def test_the_objective_sees_the_network_detached(learned):
    seen = learned.detached()
    assert not seen.estimate.requires_grad
    assert not seen.output.requires_grad
    assert torch.equal(seen.estimate, learned.estimate)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (lambda x: x.estimate.mean(), r"the loss has shape \(\); expected \(2,\)"),
        (lambda x: 1.0, r"the loss is a float; expected a tensor of shape \(2,\)"),
        (lambda x: torch.zeros(2, dtype=torch.int64), r"the loss is torch.int64; expected a floating-point dtype"),
    ],
)
@pytest.mark.parametrize("method", ["forward", "own_loss"])
def test_a_loss_that_is_none_is_named(learned, found, message, method):
    judge = Judge()
    setattr(judge, method, found)
    with pytest.raises(ContractError, match=message):
        objective_loss(judge, learned)


def test_a_picture_is_base_and_scaled_layer_unclipped():
    one = torch.ones(1, 3, 2, 2)
    learned = Learned(one, one, 0.9 * one, scale=0.5)
    assert torch.equal(learned.picture(one), 0.9 * one + 0.5 * one)
