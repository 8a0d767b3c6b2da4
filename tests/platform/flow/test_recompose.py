"""Sampled layers back to a picture."""

import pytest
import torch

from texprior.diffusion.process import Process
from texprior.flow.recompose import recompose


@pytest.fixture
def base():
    picture = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    return picture.mean(dim=(2, 3), keepdim=True).expand_as(picture)


def test_recompose_takes_the_mean_of_samples_and_their_spread(base):
    process = Process(scale=0.1)
    layers = torch.stack([torch.full_like(base, v) for v in (-1.0, 0.0, 1.0)])
    result = recompose(process, base, layers, 0.5)
    torch.testing.assert_close(result.picture, base)
    torch.testing.assert_close(result.spread, torch.full_like(base, 0.5 * 0.1 * 1.0))
    # of two, -1 and 0: (1/2 + 1/2)^2 / 4 twice, over n - 1 = 1
    torch.testing.assert_close(recompose(process, base, layers[:2]).spread, torch.full_like(base, 0.1 * 0.5**0.5))
    assert torch.equal(recompose(process, base, layers[:1]).spread, torch.zeros_like(base))
