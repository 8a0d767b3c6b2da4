"""Adapters that change weights: each held against the same change made where it acts, on activations."""

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from texprior_plugins.adapter import BitfitOptions, Ia3Options, LoraOptions
from texprior_plugins.adapter.bitfit import Biases
from texprior_plugins.adapter.ia3 import InnerActivations
from texprior_plugins.adapter.lora import LowRank


def drawn(adapter, scale: float = 0.1):
    g = torch.Generator().manual_seed(5)
    for parameter in adapter.parameters():
        parameter.data += scale * torch.randn(parameter.shape, generator=g)
    return adapter


class Beside(nn.Module):
    """A layer with a low-rank path beside it: layer(x) + scale * up(down(x)), as LoRA is drawn in the paper."""

    def __init__(self, layer, down, up, scale):
        super().__init__()
        self.layer, self.down, self.up, self.scale = layer, down, up, scale

    def forward(self, x):
        if isinstance(self.layer, nn.Linear):
            return self.layer(x) + self.scale * x @ self.down.T @ self.up.T
        shape = (-1, *self.layer.weight.shape[1:])
        low = F.conv2d(x, self.down.view(shape), stride=self.layer.stride, padding=self.layer.padding)
        return self.layer(x) + self.scale * F.conv2d(low, self.up[..., None, None])


def test_lora_is_a_low_rank_path_beside_every_layer(network, inputs, estimate):
    """The merged weights give what a convolution to rank channels and a 1x1 back, times alpha / rank, give beside W."""
    adapter = drawn(LowRank(LoraOptions(rank=3, alpha=6.0), network))
    other, layers = copy.deepcopy(network), 0
    for path, layer in list(other.named_modules()):
        if isinstance(layer, nn.Conv2d | nn.Linear):
            key, (parent, _, name) = f"{path}/weight".replace(".", "/"), path.rpartition(".")
            setattr(other.get_submodule(parent), name, Beside(layer, adapter.down[key], adapter.up[key], 2.0))
            layers += 1
    assert layers == len(adapter.down) == len(adapter.up)
    expected = other(*inputs)
    assert torch.allclose(adapter.adapted(network, {})(*inputs), expected, atol=2e-5)
    assert not torch.allclose(network(*inputs), expected, atol=1e-2)


@pytest.mark.parametrize(("layers", "expected"), [("attention", 3), ("convolutions", 26), ("all", 42)])
def test_lora_finds_its_layers(layers, expected, network):
    """Query, key and value, out; 10 blocks of 2 convolutions, 2 with one on their skip, enter, leave, down and up; a
    linear layer in every block, and 3 in the embedding.
    """
    assert len(LowRank(LoraOptions(layers=layers), network).paths) == expected


def test_dora_is_the_published_formula(network):
    """W' = m V / |V|, V = W + (alpha / rank) B A, with the norm of each output channel (eq. 5)."""
    adapter = drawn(LowRank(LoraOptions(rank=2, alpha=1.0, dora=True), network))
    frozen = dict(network.named_parameters())
    for path, result in adapter.weights(frozen).items():
        key, w = path.replace(".", "/"), frozen[path].double()
        v = w + 0.5 * (adapter.up[key].double() @ adapter.down[key].double()).reshape(w.shape)
        rows, original = v.reshape(len(v), -1), w.reshape(len(w), -1)
        for o, row in enumerate(rows):
            m = original[o].square().sum().sqrt() + adapter.magnitude[key][o].double()
            expected = m * row / row.square().sum().sqrt()
            assert torch.allclose(result[o].double().flatten(), expected, atol=1e-6), path


def test_doras_norm_is_constant_in_the_gradient(network):
    """d(sum G W')/dV = G m / |V| (section 4.3), not the derivative through |V|."""
    adapter = drawn(LowRank(LoraOptions(rank=2, alpha=2.0, dora=True), network))
    path, frozen = "middle.0.conv1.weight", dict(network.named_parameters())
    key, w = path.replace(".", "/"), frozen["middle.0.conv1.weight"]
    g = torch.randn(w.shape, generator=torch.Generator().manual_seed(6))
    (g * adapter.weights(frozen)[path]).sum().backward()
    with torch.no_grad():
        v = w.flatten(1) + adapter.up[key] @ adapter.down[key]
        m = w.flatten(1).norm(dim=1) + adapter.magnitude[key]
        to_v = g.flatten(1) * (m / v.norm(dim=1))[:, None]
    assert torch.allclose(adapter.up[key].grad, to_v @ adapter.down[key].T, atol=1e-5)
    assert torch.allclose(adapter.down[key].grad, adapter.up[key].T @ to_v, atol=1e-5)
    assert torch.allclose(adapter.magnitude[key].grad, (g.flatten(1) * v).sum(1) / v.norm(dim=1), atol=1e-4)


def test_dora_is_finite_where_a_layer_starts_at_zero():
    """An untrained prior has layers of zeros; they stay finite, and their magnitude gets no wild gradient."""
    from texprior_plugins.attention.sdpa import Sdpa
    from texprior_plugins.denoiser import UnetOptions
    from texprior_plugins.denoiser.unet import Unet

    network = Unet(UnetOptions(width=8, levels=2), 12, Sdpa(None)).requires_grad_(False)
    adapter = LowRank(LoraOptions(dora=True), network)
    weights = adapter.weights(dict(network.named_parameters()))
    assert not weights["leave.1.weight"].any()
    sum(w.sum() for w in weights.values()).backward()
    assert all(p.grad.isfinite().all() for p in adapter.parameters())


@pytest.mark.parametrize(("activations", "count"), [("all", 11), ("attention", 1), ("blocks", 10)])
def test_ia3_scales_activations(activations, count, network, inputs):
    """l * (keys and values), and l * (what enters the block's last convolution), by hooks on the activations."""
    adapter = drawn(InnerActivations(Ia3Options(activations=activations), network), scale=0.3)
    assert len(adapter.scale) == count
    other = copy.deepcopy(network)
    for path in network.blocks() if activations != "attention" else []:
        scale = adapter.scale[f"{path}.conv2".replace(".", "/")].view(1, -1, 1, 1)
        other.get_submodule(path).conv2.register_forward_pre_hook(lambda _m, x, scale=scale: (x[0] * scale,))
    if activations != "blocks":
        scale = adapter.scale["look/key_value"]
        other.look.key_value.register_forward_hook(lambda _m, _x, kv: kv * scale)
    expected = other(*inputs)
    assert torch.allclose(adapter.adapted(network, {})(*inputs), expected, atol=1e-5)
    assert not torch.allclose(network(*inputs), expected, atol=1e-3)


def test_ia3_of_a_grouped_convolution():
    """The input's channels are spread over the groups; the columns of the weight follow them."""
    from texprior.flow.prior import Block

    layer = nn.Conv2d(8, 6, 3, groups=2)
    net = nn.Module()
    net.add_module("only", nn.Sequential(layer))
    net.blocks = lambda: {"only": Block(6, 1, "middle", closing="0")}
    net.attentions = dict
    adapter = drawn(InnerActivations(Ia3Options(), net), scale=0.5)
    weights = adapter.weights(dict(net.named_parameters()))
    x = torch.randn(2, 8, 7, 7)
    expected = layer(x * adapter.scale["only/0"].view(1, -1, 1, 1))
    assert torch.allclose(F.conv2d(x, weights["only.0.weight"], layer.bias, groups=2), expected, atol=1e-5)


def test_bitfit_is_the_network_with_other_biases(network, inputs):
    adapter = drawn(Biases(BitfitOptions(), network))
    other = copy.deepcopy(network)
    changed_biases = 0
    for path, parameter in other.named_parameters():
        if path.endswith("bias"):
            parameter += adapter.delta[path.replace(".", "/")].detach()
            changed_biases += parameter.numel()
    assert changed_biases == sum(p.numel() for p in adapter.parameters())
    assert torch.equal(adapter.adapted(network, {})(*inputs), other(*inputs))
