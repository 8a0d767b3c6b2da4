"""The controls are what they are called: plain fine-tuning, the frozen prior, and a training from initial weights."""

import copy

import torch

from texprior.plugin import Options
from texprior_plugins.adapter.frozen import FrozenPrior
from texprior_plugins.adapter.full import FullFineTune
from texprior_plugins.adapter.scratch import FromScratch


def trained(parameters, forward, inputs, steps: int = 3):
    optimizer = torch.optim.AdamW(parameters, lr=1e-3)
    for _ in range(steps):
        (forward(*inputs) - 1).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    return forward(*inputs)


def test_full_is_training_the_network_itself(network, inputs):
    """The same steps on a copy of the network that was let go: the same output to the bit."""
    adapter, itself = FullFineTune(Options(), network), copy.deepcopy(network).requires_grad_(True)
    by_hand = trained(itself.parameters(), itself, inputs)
    assert torch.equal(trained(adapter.parameters(), adapter.adapted(network, {}), inputs), by_hand)


def test_full_trains_as_a_new_network_does(network, inputs):
    """A prior is loaded in evaluation mode, in which dropout would not drop."""
    adapter = FullFineTune(Options(), network.eval())
    assert all(module.training for module in adapter.network.modules())


def test_scratch_is_a_new_network(network, inputs):
    """It starts at the initial weights that a new prior would start at, zero output included."""
    torch.manual_seed(11)
    new = network.fresh()
    torch.manual_seed(11)
    adapter = FromScratch(Options(), network)
    assert all(torch.equal(t, new.state_dict()[n]) for n, t in adapter.network.state_dict().items())
    assert new.state_dict().keys() == network.state_dict().keys()
    assert not adapter.adapted(network, {})(*inputs).any()
    assert all(p.requires_grad for p in adapter.parameters())


def test_frozen_is_the_prior(network, inputs):
    adapter = FrozenPrior(Options(), network)
    assert list(adapter.parameters()) == []
    assert torch.equal(adapter.adapted(network, {})(*inputs), network(*inputs))
