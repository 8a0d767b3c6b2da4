"""Adapters that act after blocks: each formula, computed again by hand."""

import pytest
import torch
from torch.nn import functional as F

from texprior.flow.prior import Block
from texprior_plugins.adapter import CgaOptions, FilmOptions, SftOptions, T2iOptions, ZeroConvOptions
from texprior_plugins.adapter.cga import ConditionalGuidanceAdapter
from texprior_plugins.adapter.film import FeaturewiseModulation
from texprior_plugins.adapter.sft import SpatialFeatureTransform
from texprior_plugins.adapter.t2i import T2iAdapter
from texprior_plugins.adapter.zero_conv import ZeroConvolution

BLOCK, KEY = "encoder.1.0", "encoder_1_0"


def gelu(t):
    return 0.5 * t * (1 + torch.erf(t / 2**0.5))


def at_each_position(convolution, t):
    """A 1x1 convolution as the linear map that it is."""
    return torch.einsum("oc,bchw->bohw", convolution.weight[:, :, 0, 0], t) + convolution.bias.view(1, -1, 1, 1)


def brought(bring, y, stride):
    """Conv(unshuffle(2 y - 1)), each of the stride's pixels a channel of its own."""
    pieces = [
        2 * y[:, c : c + 1, i::stride, j::stride] - 1 for c in range(3) for i in range(stride) for j in range(stride)
    ]
    return F.conv2d(torch.cat(pieces, 1), bring.conv.weight, bring.conv.bias, padding=1)


@pytest.fixture
def whole():
    """A picture whose sides are multiples of the coarsest stride of the small UNet, 4 px."""
    return torch.rand((1, 3, 16, 24), generator=torch.Generator().manual_seed(4))


@pytest.fixture
def hidden(network, whole):
    block = network.blocks()[BLOCK]
    return torch.randn((1, block.channels, 16 // block.stride, 24 // block.stride))


def test_cga_is_the_posters_formula(network, whole, hidden):
    """h + W_out(GELU(W_in h) + GELU(Conv y))."""
    new = ConditionalGuidanceAdapter(CgaOptions(width=6, zero_init=False), network)
    conditional = gelu(brought(new.bring[KEY], whole, 4))
    expected = hidden + at_each_position(
        new.mlp_out[KEY], gelu(at_each_position(new.mlp_in[KEY], hidden)) + conditional
    )
    assert torch.allclose(new.after_block(BLOCK, hidden, new.features(whole)), expected, atol=1e-5)


def test_sft_is_a_scale_and_a_shift_at_each_position(network, whole, hidden):
    new = SpatialFeatureTransform(SftOptions(width=6, zero_init=False), network)
    gamma, beta = at_each_position(new.modulate[KEY], gelu(brought(new.bring[KEY], whole, 4))).chunk(2, 1)
    result = new.after_block(BLOCK, hidden, new.features(whole))
    assert torch.allclose(result, hidden + gamma * hidden + beta, atol=1e-5)


def test_zero_conv_adds_what_a_stride_shares(network, whole, hidden):
    new = ZeroConvolution(ZeroConvOptions(width=6, zero_init=False), network)
    assert set(new.bring) == {"2", "4"}
    expected = hidden + at_each_position(new.add[KEY], gelu(brought(new.bring["4"], whole, 4)))
    assert torch.allclose(new.after_block(BLOCK, hidden, new.features(whole)), expected, atol=1e-5)


def test_film_is_one_scale_and_shift_a_channel_from_the_mean_token(network, inputs, hidden):
    new, code = FeaturewiseModulation(FilmOptions(width=6, zero_init=False), network), inputs[3][:1]
    first = gelu(code.sum(1) / 4 @ new.look.weight.T + new.look.bias)
    numbers = first @ new.modulate.weight.T + new.modulate.bias
    blocks = network.blocks()
    start = sum(2 * b.channels for name, b in blocks.items() if list(blocks).index(name) < list(blocks).index(BLOCK))
    channels = blocks[BLOCK].channels
    gamma, beta = (numbers[0, start + i * channels :][:channels].view(1, -1, 1, 1) for i in range(2))
    result = new.after_block(BLOCK, hidden, new.modulation(code))
    assert torch.allclose(result, hidden + gamma * hidden + beta, atol=1e-5)


def test_film_sees_no_position(network, inputs):
    """Its modulation is the same at every position, so that a tile is modulated as the whole picture."""
    new = FeaturewiseModulation(FilmOptions(zero_init=False), network)
    assert all(m.shape[2:] == (1, 1) for m in new.modulation(inputs[3]).values())


def test_t2i_adds_once_a_resolution_after_its_last_encoder_block(network, inputs, estimate):
    """What every block's output gains is exactly F_k after two blocks, and nothing after the others."""
    new = T2iAdapter(T2iOptions(width=6, zero_init=False), network)
    features, gained = new.features(estimate), {}
    guide = new.guide(features)

    def watch(block, h):
        out = guide(block, h)
        gained[block] = out - h
        return out

    network(*inputs, watch)
    assert [name for name, gain in gained.items() if gain.any()] == ["encoder.0.1", "encoder.1.1"]
    assert all(torch.allclose(gained[name], feature, atol=1e-5) for name, feature in features.items())
    assert gained.keys() == network.blocks().keys()


def test_t2i_features_are_residual_blocks_and_average_pooling(network, whole):
    new = T2iAdapter(T2iOptions(width=6, blocks=1, zero_init=False), network)

    def residual(body, f):
        spatial = F.conv2d(f, body.spatial.weight, body.spatial.bias, padding=1)
        return f + at_each_position(body.pointwise, spatial.clamp(min=0))

    fine = residual(new.body[0][0], brought(new.bring, whole, 2))
    pooled = (fine[..., ::2, ::2] + fine[..., 1::2, ::2] + fine[..., ::2, 1::2] + fine[..., 1::2, 1::2]) / 4
    coarse = residual(new.body[1][0], pooled)
    expected = {"encoder.0.1": at_each_position(new.add["encoder_0_1"], fine)}
    expected["encoder.1.1"] = at_each_position(new.add["encoder_1_1"], coarse)
    features = new.features(whole)
    assert features.keys() == expected.keys()
    assert all(torch.allclose(features[name], f, atol=1e-5) for name, f in expected.items())


def test_t2i_refuses_strides_that_do_not_divide_each_other(plain):
    from texprior.errors import ConfigError

    plain.blocks = lambda: {"body.0": Block(8, 2, "encoder"), "body.1": Block(8, 3, "encoder")}
    with pytest.raises(ConfigError, match="t2i needs strides that divide each other; the denoiser has 2 and 3"):
        T2iAdapter(T2iOptions(), plain)


@pytest.mark.parametrize("adapter", [ConditionalGuidanceAdapter, SpatialFeatureTransform, ZeroConvolution])
def test_after_every_declared_block(adapter, network, inputs, estimate):
    """An adapter that acts on one block only already changes the output, whichever block it is."""
    options = {"zero_init": False}
    made = {
        ConditionalGuidanceAdapter: CgaOptions,
        SpatialFeatureTransform: SftOptions,
        ZeroConvolution: ZeroConvOptions,
    }[adapter](**options)
    new = adapter(made, network)
    plain, features = network(*inputs), new.features(estimate)
    for block in network.blocks():
        only = lambda name, h, block=block: new.after_block(name, h, features) if name == block else h  # noqa: E731
        assert (network(*inputs, only) - plain).abs().max() > 1e-6, block
