"""How many parameters each adapter trains on the default UNet (widths 32, 64, 96; strides 2, 4, 8; code of 96)."""

import pytest

from texprior.models.build import count_parameters
from texprior_plugins.attention.sdpa import Sdpa
from texprior_plugins.denoiser import UnetOptions
from texprior_plugins.denoiser.unet import Unet

LEVELS = [(32, 2), (64, 4), (96, 8)]
BLOCKS = 2 * LEVELS + 2 * [(96, 8)] + 2 * LEVELS


def conv(i: int, o: int, k: int = 1) -> int:
    """Weights and biases of a k x k convolution; of a linear layer where k is 1."""
    return i * o * k**2 + o


def residual(i: int, o: int) -> int:
    """A residual block: two norms, two convolutions, its modulation, and a convolution on the skip where it widens."""
    return 2 * i + 2 * o + conv(i, o, 3) + conv(o, o, 3) + conv(128, 2 * o) + (conv(i, o) if i != o else 0)


EMBED = conv(32, 128) + conv(128, 128) + conv(96, 128)
ENCODER = sum(2 * residual(w, w) for w, _ in LEVELS) + conv(24, 32, 3) + conv(32, 64, 2) + conv(64, 96, 2)
MIDDLE = 2 * residual(96, 96) + 2 * 96 + 2 * 96 + 2 * conv(96, 96) + conv(96, 192)
DECODER = sum(residual(2 * w, w) + residual(w, w) for w, _ in LEVELS) + conv(64, 128) + conv(96, 256)
LEAVE = 2 * 32 + conv(32, 12, 3)
NORMS = 2 * (2 * (32 + 64 + 96)) + 4 * 96 + 5 * (32 + 64 + 96) + 32 + 96
"""Channels of all norms over maps: a decoder's first block has a norm of twice the width."""
BIASES = (
    (NORMS + 96)  # and of the norm over the code's tokens
    + 3 * 128  # embedding
    + (32 + 64 + 96)  # enter and down
    + (128 + 256)  # up
    + 12  # leave
    + sum(2 * w + 2 * w for w, _ in BLOCKS)  # two convolutions and the modulation of every block
    + (32 + 64 + 96)  # the decoder's convolutions on skips
    + 2 * 96
    + 192  # attention
)


def lora(rank: int) -> int:
    """rank (in k^2 + out) of every layer."""
    pairs = [
        (32, 128),
        (128, 128),
        (96, 128),
        (24 * 9, 32),
        (32 * 4, 64),
        (64 * 4, 96),
        (64, 128),
        (96, 256),
        (32 * 9, 12),
    ]
    pairs += [(96, 96), (96, 96), (96, 192)]
    inner = [(w, w) for w, _ in BLOCKS]
    for level, (w, _) in enumerate(LEVELS):
        inner[8 + level] = (2 * w, w)
        pairs.append((2 * w, w))
    for i, o in inner:
        pairs += [(9 * i, o), (9 * o, o), (128, 2 * o)]
    return sum(rank * (i + o) for i, o in pairs)


def bring(stride: int, width: int) -> int:
    return conv(3 * stride**2, width, 3)


EXPECTED = {
    "cga": sum(bring(s, 32) + conv(c, 32) + conv(32, c) for c, s in BLOCKS),
    "sft": sum(bring(s, 32) + conv(32, 2 * c) for c, s in BLOCKS),
    "film": conv(96, 32) + conv(32, sum(2 * c for c, _ in BLOCKS)),
    "zero_conv": sum(bring(s, 8) for _, s in LEVELS) + sum(conv(8, c) for c, _ in BLOCKS),
    "spade": sum(bring(s, 32) for _, s in LEVELS) + 33 * 2 * NORMS,
    "controlnet": EMBED + ENCODER + MIDDLE + bring(2, 32) + conv(32, 32) + sum(conv(w, w) for w in (32, 64, 96, 96)),
    "t2i": bring(2, 48) + 6 * (conv(48, 48, 3) + conv(48, 48)) + sum(conv(48, w) for w, _ in LEVELS),
    "lora": lora(4),
    "ia3": sum(w for w, _ in BLOCKS) + 192,
    "bitfit": BIASES,
    "full": EMBED + ENCODER + MIDDLE + DECODER + LEAVE,
    "frozen": 0,
    "scratch": EMBED + ENCODER + MIDDLE + DECODER + LEAVE,
}


@pytest.fixture(scope="module")
def default():
    return Unet(UnetOptions(), 96, Sdpa(None)).requires_grad_(False)


@pytest.mark.parametrize("name", EXPECTED)
def test_trainable_parameters(name, default, build):
    assert count_parameters(default) == EXPECTED["full"] == 1_923_020
    assert count_parameters(build(name, default), trainable_only=True) == EXPECTED[name]


def test_every_adapter_is_counted(build):
    from texprior_plugins.adapter import texprior_adapters

    assert {record.name for record in texprior_adapters()} == set(EXPECTED)


def test_a_magnitude_an_output_channel_is_what_dora_adds(default, build):
    layers = build("lora", default)
    outputs = sum(up.shape[0] for up in layers.up.values())
    assert count_parameters(build("lora", default, dora=True)) == count_parameters(layers) + outputs
