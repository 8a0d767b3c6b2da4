"""Sampled layers back to a picture."""

import pytest
import torch

from texprior.diffusion.process import Process
from texprior.flow.recompose import Samples, recompose


@pytest.fixture
def base():
    picture = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    return picture.mean(dim=(2, 3), keepdim=True).expand_as(picture)


def gathered(layers):
    samples = Samples()
    for layer in layers:
        samples.add(layer)
    return samples


@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_samples_one_by_one_have_the_mean_and_the_deviation_of_all_together(offset):
    """A difference of the mean square and the squared mean would lose all digits beside an offset of 1000."""
    layers = offset + torch.randn(7, 1, 3, 40, 50, generator=torch.Generator().manual_seed(0))
    before, samples = layers.clone(), gathered(layers)
    torch.testing.assert_close(samples.mean, layers.double().mean(0).float(), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(
        samples.deviation(), layers.double().std(0).float(), rtol=3e-4 if offset else 1e-6, atol=0
    )
    assert torch.equal(layers, before)


def test_recompose_takes_the_mean_of_samples_and_their_spread(base):
    process = Process(scale=0.1)
    layers = torch.stack([torch.full_like(base, v) for v in (-1.0, 0.0, 1.0)])
    result = recompose(process, base, gathered(layers), 0.5)
    torch.testing.assert_close(result.picture, base)
    torch.testing.assert_close(result.spread, torch.full_like(base, 0.5 * 0.1 * 1.0))
    # of two, -1 and 0: (1/2 + 1/2)^2 / 4 twice, over n - 1 = 1
    torch.testing.assert_close(
        recompose(process, base, gathered(layers[:2])).spread, torch.full_like(base, 0.1 * 0.5**0.5)
    )
    assert torch.equal(recompose(process, base, gathered(layers[:1])).spread, torch.zeros_like(base))
