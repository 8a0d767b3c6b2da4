"""Tests the statistics of the grain: standard deviation and correlations."""

import pytest
import torch

from texprior_example import GrainOptions
from texprior_example.grain import Grain


def grain(level, **options):
    """Returns the grain on a uniform grey, (3, 256, 256)."""
    picture = torch.full((3, 256, 256), level)
    return Grain(GrainOptions(**options))(picture, torch.Generator().manual_seed(0)) - level


@pytest.mark.parametrize(("level", "share"), [(0.5, 1.0), (0.2, 0.8), (0.9, 0.6)])
def test_its_strength_is_that_of_mid_grey_times_2_sqrt_x_1_minus_x(level, share):
    # the standard error of a standard deviation of 65,536 independent values is 0.3 %; allow four of them
    assert grain(level, strength=0.02, size=0)[0].std().item() == pytest.approx(0.02 * share, rel=0.012)


def test_black_and_white_have_no_grain():
    assert grain(0.0).abs().max() == grain(1.0).abs().max() == 0


def test_neighbours_are_correlated_by_the_grains_size():
    # a Gaussian of sigma s has the autocorrelation exp(-d^2 / (4 s^2)) at distance d
    noise = grain(0.5, strength=0.02, size=1.5)[0]
    found = (noise[:, 3:] * noise[:, :-3]).mean() / noise.square().mean()
    assert found.item() == pytest.approx(torch.tensor(-9 / (4 * 1.5**2)).exp().item(), abs=0.02)


def test_the_channels_share_a_grain_or_have_their_own():
    grey, colour = grain(0.5), grain(0.5, colour=True)
    assert grey[0].equal(grey[1])
    correlation = (colour[0] * colour[1]).mean() / colour.square().mean()
    assert abs(correlation.item()) < 0.02
