"""The window transformer: attention against a loop over positions, its windows, its size, and what it refuses."""

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch.nn import functional as F

from texprior_plugins.attention.sdpa import Sdpa
from texprior_plugins.denoiser import WindowTransformerOptions
from texprior_plugins.denoiser.window_transformer import WindowAttention, WindowBlock, Windows, rotation


def random(module, scale=0.5):
    g = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(scale * torch.randn(parameter.shape, generator=g))
    return module.double()


def projected(layer, h):
    return np.einsum("oi,ihw->ohw", layer.weight[..., 0, 0].detach(), h) + layer.bias.detach().numpy()[:, None, None]


def looped(attention, h, side, shift, heads):
    """Position by position: softmax over its window, whose positions outside the map have key and value 0.

    Pairs of channels are complex numbers, turned by the row (first half) or the column of the whole map, so that only
    differences of places can count.
    """
    q, kv = projected(attention.query, h), projected(attention.key_value, h)
    k, v = np.split(kv, 2)
    c, height, width = h.shape
    d = c // heads
    speeds = np.array([100.0 ** -(p / (d // 4)) for p in range(d // 4)])

    def turned(t, row, column, head):
        pairs = t[head * d : head * d + d // 2] + 1j * t[head * d + d // 2 : (head + 1) * d]
        return pairs * np.exp(1j * np.concatenate([row * speeds, column * speeds]))

    seen = np.zeros_like(h)
    for i in range(height):
        for j in range(width):
            rows = [r for r in range(-side, height + side) if (r + shift) // side == (i + shift) // side]
            columns = [s for s in range(-side, width + side) if (s + shift) // side == (j + shift) // side]
            for head in range(heads):
                logits, values = [], []
                for r in rows:
                    for s in columns:
                        inside = 0 <= r < height and 0 <= s < width
                        key = k[:, r, s] if inside else np.zeros(c)
                        values.append(v[head * d : (head + 1) * d, r, s] if inside else np.zeros(d))
                        product = turned(q[:, i, j], i, j, head) * turned(key, r, s, head).conj()
                        logits.append(product.real.sum() / np.sqrt(d))
                weights = np.exp(np.array(logits) - max(logits))
                seen[head * d : (head + 1) * d, i, j] = weights @ np.array(values) / weights.sum()
    return projected(attention.out, seen)


@pytest.mark.parametrize(("side", "shift"), [(4, 0), (4, 2), (2, 1), (8, 4)])
@pytest.mark.parametrize("size", [(8, 4), (5, 7)])
def test_attention_is_that_of_a_loop_over_positions(side, shift, size):
    attention = random(WindowAttention(16, 2, Windows(side, shift), Sdpa(None)))
    h = torch.randn((1, 16, *size), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    expected = looped(attention, h[0].numpy(), side, shift, heads=2)
    # the tables of cosines are in float32
    np.testing.assert_allclose(attention(h)[0].detach().numpy(), expected, rtol=1e-5, atol=1e-5)


def test_without_rotation_a_window_is_torchs_attention_with_a_mask():
    """All positions of the map in one call, of which a mask lets each see its own window."""
    attention = random(WindowAttention(8, 2, Windows(4, 0), Sdpa(None)))
    attention.cosine.fill_(1)
    attention.sine.fill_(0)
    h = torch.randn((2, 8, 8, 12), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    k, v = attention.key_value(h).chunk(2, 1)
    q, k, v = (t.reshape(2, 2, 4, 96).mT for t in (attention.query(h), k, v))
    rows, columns = torch.arange(8) // 4, torch.arange(12) // 4
    window = (rows[:, None] * 3 + columns).flatten()
    seen = F.scaled_dot_product_attention(q, k, v, attn_mask=window[:, None] == window)
    expected = attention.out(seen.mT.reshape(2, 8, 8, 12))
    torch.testing.assert_close(attention(h), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("shift", [0, 3])
@pytest.mark.parametrize("size", [(12, 18), (7, 5), (1, 13)])
def test_windows_are_joined_to_the_map_that_they_were_cut_from(shift, size):
    h, windows = torch.randn(2, 8, *size), Windows(6, shift)
    cut = windows.cut(h, heads=2)
    assert cut.shape[1:] == (2, 36, 4)
    assert torch.equal(windows.join(cut, h.shape), h)


def test_a_product_of_rotated_tokens_depends_on_the_difference_of_their_places():
    cosine, sine = rotation(6, 16)
    g = torch.Generator().manual_seed(0)
    a, b = torch.randn((2, 16), generator=g)

    def product(place, other):
        def turned(t, at):
            x, y = t.chunk(2)
            return torch.cat([x * cosine[at] - y * sine[at], y * cosine[at] + x * sine[at]])

        return turned(a, place) @ turned(b, other)

    # (1, 1) and (2, 4), then the same step of (1, 3) from (3, 0) and from (4, 2)
    expected = product(1 * 6 + 1, 2 * 6 + 4)
    for row, column in ((3, 0), (4, 2)):
        torch.testing.assert_close(
            product(row * 6 + column, (row + 1) * 6 + column + 3), expected, rtol=1e-5, atol=1e-5
        )
    assert (product(7, 8) - expected).abs() > 1e-2


def test_a_block_is_its_formula():
    """Peebles & Xie 2023, fig. 3: norm, scale and shift, attention or MLP, gate, sum."""
    block = random(WindowBlock(8, 6, 2, Windows(4, 2), 3, Sdpa(None)))
    g = torch.Generator().manual_seed(1)
    h, e = (torch.randn(shape, generator=g, dtype=torch.float64) for shape in ((2, 8, 8, 8), (2, 6)))
    modulation = F.linear(e * torch.sigmoid(e), block.modulate.weight, block.modulate.bias)[..., None, None]
    scale1, shift1, gate1, scale2, shift2, gate2 = (modulation[:, 8 * i : 8 * (i + 1)] for i in range(6))

    def norm(x, layer):
        return F.layer_norm(x.movedim(1, -1), (8,), layer.weight, layer.bias, 1e-6).movedim(-1, 1)

    y = h + gate1 * block.attend(norm(h, block.norm1) * (1 + scale1) + shift1)
    hidden = F.gelu(F.conv2d(norm(y, block.norm2) * (1 + scale2) + shift2, block.widen.weight, block.widen.bias))
    hidden = F.gelu(F.conv2d(hidden, block.filter.weight, block.filter.bias, padding=1, groups=24))
    expected = y + gate2 * F.conv2d(hidden, block.narrow.weight, block.narrow.bias)
    torch.testing.assert_close(block(h, e), expected, rtol=1e-10, atol=1e-10)


def test_a_new_block_is_the_identity():
    """adaLN-Zero: the gates are 0 for every embedding."""
    h = torch.randn(1, 8, 5, 6)
    assert torch.equal(WindowBlock(8, 12, 2, Windows(4, 0), 2, Sdpa(None))(h, torch.randn(1, 12)), h)


def test_every_second_block_shifts_its_windows_by_half(new):
    network = new("window_transformer", blocks=2, middle=3, window=6)
    shifts = [network.get_submodule(f"{name}.attend").windows.shift for name in network.blocks()]
    assert shifts == [0, 3, 0, 3, 0, 0, 3]


@pytest.mark.parametrize(("window", "unshuffle", "levels", "grid"), [(8, 2, 2, 32), (4, 2, 3, 32), (6, 1, 2, 12)])
def test_its_grid_is_the_side_of_its_coarsest_windows(window, unshuffle, levels, grid, new):
    assert new("window_transformer", window=window, unshuffle=unshuffle, levels=levels).grid() == grid


def test_the_attention_of_every_block_is_declared(new):
    network = new("window_transformer")
    attends = {f"{name}.attend" for name in network.blocks()}
    assert network.attentions().keys() == attends | {"look"}
    for layer, (projection,) in network.attentions().items():
        width = network.get_submodule(layer).out.weight.shape[0]
        assert network.get_submodule(projection).weight.shape[0] == 2 * width


def test_the_parameters_of_the_default_network_counted_by_hand(new):
    """Widths 48, 96 at strides 2, 4; a code of 96 channels, as ``mobilenet_v2`` gives."""

    def block(c):
        attention = 4 * (c * c + c)
        mlp = (2 * c * c + 2 * c) + (9 * 2 * c + 2 * c) + (2 * c * c + c)
        return 4 * c + (96 * 6 * c + 6 * c) + attention + mlp

    embedding = (48 * 96 + 96) + (96 * 96 + 96) + (96 * 96 + 96)
    enter, leave = 24 * 48 * 9 + 48, 2 * 48 + 48 * 12 * 9 + 12
    between = (48 * 96 * 4 + 96) + (96 * 192 + 192)
    look = 2 * 96 + 2 * 96 + 2 * (96 * 96 + 96) + (96 * 192 + 192)
    expected = embedding + enter + leave + between + look + 4 * block(48) + 6 * block(96)
    network = new("window_transformer", code_width=96, **WindowTransformerOptions().model_dump())
    assert sum(p.numel() for p in network.parameters()) == expected == 1_100_700


def test_heads_that_do_not_divide_a_level_are_refused():
    with pytest.raises(ValidationError, match="heads of 96 channels do not divide the 48 of level 0"):
        WindowTransformerOptions(head_width=96)
