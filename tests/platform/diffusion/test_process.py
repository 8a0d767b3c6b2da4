"""The process: from a picture to its layer and back."""

import pytest
import torch

from texprior.diffusion.process import Process


@pytest.fixture
def picture():
    return torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def base(picture):
    return picture.mean(dim=(2, 3), keepdim=True).expand_as(picture)


def test_a_layer_recomposes_to_its_picture(picture, base):
    process = Process(scale=0.03)
    layer = process.layer(picture, base)
    torch.testing.assert_close(layer * 0.03 + base, picture)
    torch.testing.assert_close(process.picture(base, layer), picture, rtol=0, atol=1e-6)


def test_no_texture_strength_is_the_base_and_half_is_halfway(picture, base):
    process = Process(scale=0.03)
    layer = process.layer(picture, base)
    assert torch.equal(process.picture(base, layer, 0.0), base)
    torch.testing.assert_close(process.picture(base, layer, 0.5), (picture + base) / 2)


def test_the_picture_is_clipped_but_the_layer_is_not(picture, base):
    process = Process(scale=0.5)
    far = torch.full_like(picture, 9.0)
    assert torch.equal(process.picture(base, far), torch.ones_like(base))
    assert torch.equal(process.picture(base, -far), torch.zeros_like(base))
    assert process.layer(picture + 50, base).max() > 90


def test_a_warm_start_is_the_known_layer_plus_noise(picture, base):
    process = Process(scale=0.1)
    noise = torch.randn(picture.shape, generator=torch.Generator().manual_seed(1))
    assert torch.equal(process.warm_start(base, base, noise, 2.0), 2.0 * noise)
    start = process.warm_start(picture, base, noise, 0.5)
    torch.testing.assert_close(start, (picture - base) / 0.1 + 0.5 * noise)
