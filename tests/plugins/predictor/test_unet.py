"""The compact UNet: the identity at first, any size, its losses against closed forms, and that it learns."""

import pytest
import torch

from texprior.flow.predict import predict
from texprior_plugins.predictor import UnetOptions
from texprior_plugins.predictor.unet import Unet


def test_starts_as_the_identity():
    image = torch.rand(1, 3, 21, 35)
    assert torch.equal(Unet(UnetOptions(width=8))(image), image)


@pytest.mark.parametrize("size", [(16, 16), (17, 19), (5, 3)])
def test_any_size(size):
    network = Unet(UnetOptions(width=8))
    torch.nn.init.normal_(network.leave.weight, std=0.1)
    estimate = predict(torch.rand(2, 3, *size), network)
    assert estimate.shape == (2, 3, *size)
    assert estimate.min() >= 0
    assert estimate.max() <= 1
    assert not estimate.requires_grad


@pytest.mark.parametrize(("loss", "expected"), [("l1", 0.5), ("l2", 0.25), ("charbonnier", (0.25 + 1e-6) ** 0.5)])
def test_losses_of_a_constant_error(loss, expected):
    network = Unet(UnetOptions(width=8, loss=loss))
    clean = torch.rand(2, 3, 8, 8)
    assert network.loss(clean + 0.5, clean) == pytest.approx([expected] * 2, abs=1e-6)


def test_every_parameter_gets_a_gradient():
    network = Unet(UnetOptions(width=8))
    torch.nn.init.normal_(network.leave.weight, std=0.1)
    network.loss(network(torch.rand(2, 3, 24, 24)), torch.rand(2, 3, 24, 24)).sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in network.parameters())


def test_learns_a_known_degradation():
    """Halved contrast of plain colours is undone to a third of the initial error within 40 steps."""
    torch.manual_seed(0)
    network = Unet(UnetOptions(width=8, levels=2, blocks=1))
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    losses = []
    for _ in range(40):
        clean = torch.rand(8, 3, 1, 1).expand(-1, -1, 16, 16)
        loss = network.loss(network(0.5 * clean + 0.25), clean).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 3
