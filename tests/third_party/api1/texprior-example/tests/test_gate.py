"""Tests the range of the gate and its size."""

import torch
from texprior.flow.prior import Block, DenoiserNet

from texprior_example import GateOptions
from texprior_example.gate import Gate

BLOCKS = {"down.0": Block(8, 2, "encoder"), "middle": Block(16, 4, "middle")}


class TwoBlocks(DenoiserNet):
    """A denoiser with only what an adapter needs for its construction."""

    def blocks(self):
        return BLOCKS

    def forward(self, *inputs):
        raise AssertionError("this denoiser is never run")


def test_it_starts_at_one_and_stays_between_zero_and_two():
    gate = Gate(GateOptions(width=4), TwoBlocks())
    estimate = torch.rand(1, 3, 6, 10, generator=torch.Generator().manual_seed(0))
    assert all((g == 1).all() for g in gate.features(estimate).values())
    for parameter in gate.parameters():
        torch.nn.init.constant_(parameter, -100.0)
    hidden = torch.ones(1, 16, 2, 3)
    assert gate.after_block("middle", hidden, gate.features(estimate)).abs().max() < 1e-6


def test_the_parameters_are_those_of_two_convolutions_a_block():
    gate = Gate(GateOptions(width=4, kernel=5), TwoBlocks())
    expected = sum((25 * 3 * b.stride**2 * 4 + 4) + (4 * b.channels + b.channels) for b in BLOCKS.values())
    assert sum(p.numel() for p in gate.parameters()) == expected
