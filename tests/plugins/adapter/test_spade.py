"""SPADE on the prior's norms: its formula, on the norms of two networks, and that it begins where they are."""

import copy

import pytest
import torch
from torch.nn import functional as F

from texprior_plugins.adapter import SpadeOptions
from texprior_plugins.adapter.spade import SpatiallyAdaptiveNorm


def given_to(which, network, plain, inputs):
    """A network and the inputs that it takes."""
    x, noise, condition, _ = inputs
    return (network, inputs) if which == "unet" else (plain, (x, noise, condition, torch.empty(2, 0, 0)))


@pytest.mark.parametrize("which", ["unet", "plain"])
def test_it_begins_at_the_norms_own_affine(which, network, plain, inputs, estimate):
    """Channel norms and group norms with random weights and biases: equal to the bit."""
    net, given = given_to(which, network, plain, inputs)
    adapter = SpatiallyAdaptiveNorm(SpadeOptions(), net)
    assert torch.equal(adapter.adapted(net, adapter.features(estimate))(*given), net(*given))


@pytest.mark.parametrize("which", ["unet", "plain"])
def test_its_formula(which, network, plain, inputs, estimate):
    """(w + gamma) (x - mean) / std + b + beta in every norm, by norms that are written out."""
    net, given = given_to(which, network, plain, inputs)
    adapter = SpatiallyAdaptiveNorm(SpadeOptions(zero_init=False), net)
    features, other = adapter.features(estimate), copy.deepcopy(net)

    def replaced(module, x, path):
        groups = getattr(module, "num_groups", None)
        h = x[0]
        grouped = h.reshape(h.shape[0], groups, -1) if groups else h
        variance, mean = torch.var_mean(grouped, -1 if groups else 1, correction=0, keepdim=True)
        n = ((grouped - mean) / (variance + (module.eps if groups else 1e-6)).sqrt()).reshape(h.shape)
        gamma, beta = features[path].chunk(2, 1)
        return (module.weight.view(1, -1, 1, 1) + gamma) * n + module.bias.view(1, -1, 1, 1) + beta

    for path in adapter.norms:
        other.get_submodule(path).forward = lambda *x, path=path: replaced(other.get_submodule(path), x, path)
    expected = other(*given)
    assert torch.allclose(adapter.adapted(net, features)(*given), expected, atol=2e-5)
    assert not torch.allclose(net(*given), expected, atol=1e-2)


def test_it_acts_on_norms_of_maps_at_their_stride(network):
    """Two in each of 10 blocks, one before the output and one before attention; not the one over the code's tokens."""
    norms = SpatiallyAdaptiveNorm(SpadeOptions(), network).norms
    assert len(norms) == 22
    assert "look.code_norm" not in norms
    expected = {"encoder.0.0.norm1": (8, 2), "decoder.0.0.norm1": (16, 2), "look.norm": (16, 4), "leave.0": (8, 2)}
    assert {path: tuple(norms[path]) for path in expected} == expected


def test_gamma_and_beta_are_made_of_the_picture_at_the_norms_resolution(network):
    y = torch.rand((1, 3, 16, 24), generator=torch.Generator().manual_seed(4))
    adapter = SpatiallyAdaptiveNorm(SpadeOptions(width=6, zero_init=False), network)
    features = adapter.features(y)
    conv, to = adapter.bring["4"].conv, adapter.modulate["middle_0_norm1"]
    hidden = F.gelu(F.conv2d(F.pixel_unshuffle(2 * y - 1, 4), conv.weight, conv.bias, padding=1))
    assert torch.allclose(features["middle.0.norm1"], F.conv2d(hidden, to.weight, to.bias), atol=1e-6)
    assert features["encoder.0.0.norm1"].shape == (1, 16, 8, 12)
