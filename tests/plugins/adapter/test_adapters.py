"""Adapters: the paper's formula, the identity at initialisation, what is trained, what is computed once."""

import pytest
import torch
from torch.nn import functional as F

from texprior.flow.prior import unguided
from texprior_plugins.adapter import CgaOptions, SftOptions
from texprior_plugins.adapter.cga import ConditionalGuidanceAdapter
from texprior_plugins.adapter.sft import SpatialFeatureTransform
from texprior_plugins.attention.sdpa import Sdpa
from texprior_plugins.denoiser import UnetOptions
from texprior_plugins.denoiser.unet import Unet

ADAPTERS = [(ConditionalGuidanceAdapter, CgaOptions), (SpatialFeatureTransform, SftOptions)]


@pytest.fixture
def network():
    torch.manual_seed(0)
    network = Unet(UnetOptions(width=8, blocks=1), 12, Sdpa(None))
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return network.requires_grad_(False)


@pytest.fixture
def inputs():
    g = torch.Generator().manual_seed(1)
    x, y = (torch.rand((2, 3, 19, 34), generator=g) for _ in range(2))
    return (x, torch.randn(2, generator=g), y, torch.randn((2, 4, 12), generator=g)), y


@pytest.mark.parametrize(("adapter", "options"), ADAPTERS)
def test_starts_as_the_identity_to_the_bit(adapter, options, network, inputs):
    arguments, y = inputs
    new = adapter(options(), network.blocks())
    assert torch.equal(network(*arguments, new.guide(new.features(y))), network(*arguments, unguided))


@pytest.mark.parametrize(("adapter", "options"), ADAPTERS)
def test_does_not_where_it_does_not_start_at_zero(adapter, options, network, inputs):
    arguments, y = inputs
    new = adapter(options(zero_init=False), network.blocks())
    assert not torch.allclose(network(*arguments, new.guide(new.features(y))), network(*arguments, unguided))


@pytest.mark.parametrize(("adapter", "options"), ADAPTERS)
def test_only_its_own_parameters_get_gradients_and_all_of_them_do(adapter, options, network, inputs):
    arguments, y = inputs
    before = {name: p.clone() for name, p in network.state_dict().items()}
    new = adapter(options(zero_init=False), network.blocks())
    network(*arguments, new.guide(new.features(y))).square().mean().backward()
    assert all(p.grad is not None and p.grad.any() for p in new.parameters())
    assert all(p.grad is None for p in network.parameters())
    assert all(torch.equal(p, before[name]) for name, p in network.state_dict().items())


@pytest.mark.parametrize(("adapter", "options"), ADAPTERS)
def test_after_every_declared_block(adapter, options, network, inputs):
    """An adapter that acts on one block only already changes the output, whichever block it is."""
    arguments, y = inputs
    new = adapter(options(zero_init=False), network.blocks())
    plain, features = network(*arguments), new.features(y)
    for block in network.blocks():
        only = lambda name, h, block=block: new.after_block(name, h, features) if name == block else h  # noqa: E731
        assert (network(*arguments, only) - plain).abs().max() > 1e-6, block


def test_cga_is_the_posters_formula(network):
    """h + W_out(GELU(W_in h) + GELU(Conv y)), with y brought to the block's resolution by pixel-unshuffling."""
    new = ConditionalGuidanceAdapter(CgaOptions(width=6, zero_init=False), network.blocks())
    block, place = "encoder.1.0", network.blocks()["encoder.1.0"]
    h, y = torch.randn(1, place.channels, 4, 6), torch.rand(1, 3, 4 * place.stride, 6 * place.stride)
    w_in, w_out = new.mlp_in["encoder_1_0"], new.mlp_out["encoder_1_0"]
    conv = new.bring["encoder_1_0"].conv

    def at_each_position(linear, t):
        return (torch.einsum("oc,bchw->bohw", linear.weight[:, :, 0, 0], t)) + linear.bias.view(1, -1, 1, 1)

    gelu = lambda t: 0.5 * t * (1 + torch.erf(t / 2**0.5))  # noqa: E731
    brought = F.conv2d(F.pixel_unshuffle(2 * y - 1, place.stride), conv.weight, conv.bias, padding=1)
    expected = h + at_each_position(w_out, gelu(at_each_position(w_in, h)) + gelu(brought))
    whole = F.pad(y, (0, -y.shape[3] % 8, 0, -y.shape[2] % 8), mode="replicate")
    features = {name: f[..., :4, :6] for name, f in new.features(whole).items() if name == block}
    assert torch.allclose(new.after_block(block, h, features), expected, atol=1e-5)


def test_sft_is_scale_and_shift():
    from texprior.flow.prior import Block

    new = SpatialFeatureTransform(SftOptions(), {"b": Block(4, 2, "encoder")})
    h, gamma, beta = torch.randn(3, 2, 4, 5, 5).unbind(0)
    assert torch.allclose(new.after_block("b", h, {"b": torch.cat([gamma, beta], 1)}), (1 + gamma) * h + beta)
