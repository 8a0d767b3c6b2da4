"""The NAFNet denoiser: its block against the paper's formula, its windows, its size, and what it refuses."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from scipy.ndimage import convolve1d
from torch.nn import functional as F

from texprior_plugins.denoiser import NafnetOptions
from texprior_plugins.denoiser.nafnet import LocalChannelAttention, NafBlock, simple_gate


def random(module):
    g = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(0.3 * torch.randn(parameter.shape, generator=g))
    return module.double()


def written_down(block, h, embedding):
    """Chen et al. 2022, fig. 3 (c), with the modulation of Refusion; channel attention averages over everything."""
    w = {
        name: tensor.flatten(1) if tensor.shape[-2:] == (1, 1) else tensor for name, tensor in block.named_parameters()
    }
    halves = embedding[:, : embedding.shape[1] // 2] * embedding[:, embedding.shape[1] // 2 :]
    modulation = halves @ w["modulate.weight"].T + w["modulate.bias"]
    scale1, shift1, scale2, shift2 = (modulation[:, i * 4 : (i + 1) * 4, None, None] for i in range(4))

    def norm(name, x):
        n = F.layer_norm(x.movedim(1, -1), (4,), w[f"{name}.weight"], w[f"{name}.bias"], 1e-6)
        return n.movedim(-1, 1)

    def pointwise(name, x):
        return torch.einsum("oi,bihw->bohw", w[f"{name}.weight"], x) + w[f"{name}.bias"][:, None, None]

    def gate(x):
        return x[:, :4] * x[:, 4:]

    x = pointwise("expand", norm("norm1", h) * (1 + scale1) + shift1)
    x = torch.cat([F.conv2d(x[:, i : i + 1], w["filter.weight"][i : i + 1], padding=1) for i in range(8)], 1)
    x = gate(x + w["filter.bias"][:, None, None])
    x = x * pointwise("weigh.map", x.mean((2, 3), keepdim=True))
    y = h + block.beta * pointwise("project", x)
    x = gate(pointwise("widen", norm("norm2", y) * (1 + scale2) + shift2))
    return y + block.gamma * pointwise("narrow", x)


def test_with_a_window_over_everything_its_block_is_the_papers():
    g = torch.Generator().manual_seed(1)
    block = random(NafBlock(4, 6, side=31))
    h, embedding = (torch.randn(shape, generator=g, dtype=torch.float64) for shape in ((2, 4, 9, 14), (2, 6)))
    torch.testing.assert_close(block(h, embedding), written_down(block, h, embedding), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("side", [1, 3, 9, 61])
def test_channel_attention_averages_over_the_window_where_it_is_in_the_picture(side):
    """scipy's sum over the window with zeros beyond, divided by the same sum of ones."""
    h = torch.rand(2, 3, 12, 17, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    attention = random(LocalChannelAttention(3, side))

    def total(a):
        for axis in (-2, -1):
            a = convolve1d(a, np.ones(side), axis, mode="constant")
        return a

    mean = torch.from_numpy(total(h.numpy()) / total(np.ones(h.shape)))
    weights = torch.einsum("oi,bihw->bohw", attention.map.weight[..., 0, 0], mean) + attention.map.bias[:, None, None]
    torch.testing.assert_close(attention(h), h * weights, rtol=1e-12, atol=1e-12)


def test_the_gate_multiplies_the_halves():
    h = torch.arange(8.0).view(1, 4, 1, 2)
    assert torch.equal(simple_gate(h), torch.tensor([0.0, 5.0, 12.0, 21.0]).view(1, 2, 1, 2))


def test_a_new_block_is_the_identity():
    h = torch.randn(1, 8, 5, 6)
    assert torch.equal(NafBlock(8, 12, 3)(h, torch.randn(1, 12)), h)


def test_windows_have_the_same_px_at_every_level(new):
    """16 px are 9 positions at a stride of 2 px, 5 at 4 px and 3 at 8 px: odd, so that they have a middle."""
    network = new("nafnet", levels=3, window=16)
    sides = {name: network.get_submodule(f"{name}.weigh").side for name in network.blocks()}
    assert sides["encoder.0.0"] == sides["decoder.0.0"] == 9
    assert sides["encoder.1.0"] == 5
    assert sides["middle.0"] == 3
    without = new("nafnet", window=0)
    assert not [name for name, _ in without.named_parameters() if ".weigh." in name]


def test_the_parameters_of_the_default_network_counted_by_hand(new):
    """Widths 32, 64, 128 at strides 2, 4, 8; a code of 96 channels, as ``mobilenet_v2`` gives."""

    def block(c):
        modulation = 64 * 4 * c + 4 * c
        attention = c * c + c
        f = 2 * c + (2 * c * c + 2 * c) + (9 * 2 * c + 2 * c) + attention + (c * c + c)
        g = 2 * c + (2 * c * c + 2 * c) + (c * c + c)
        return modulation + f + g + 2 * c

    embedding = (32 * 128 + 128) + (128 * 128 + 128) + (96 * 128 + 128)
    enter, leave = 24 * 32 * 9 + 32, 2 * 32 + 32 * 12 * 9 + 12
    down = (32 * 64 * 4 + 64) + (64 * 128 * 4 + 128)
    up = (64 * 128 + 128) + (128 * 256 + 256)
    look = 2 * 128 + 2 * 96 + 2 * (128 * 128 + 128) + (96 * 256 + 256)
    expected = embedding + enter + leave + down + up + look + 4 * block(32) + 4 * block(64) + 4 * block(128)
    network = new("nafnet", code_width=96, **NafnetOptions().model_dump())
    assert sum(p.numel() for p in network.parameters()) == expected == 1_049_068


def test_heads_that_do_not_divide_the_coarsest_level_are_refused():
    with pytest.raises(ValidationError, match="heads of 24 channels do not divide the 128 of level 2"):
        NafnetOptions(head_width=24)
    # only the coarsest level attends to the code
    assert NafnetOptions(head_width=64).head_width == 64
