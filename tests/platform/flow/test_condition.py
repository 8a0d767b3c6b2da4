"""Blur and noise of the condition."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from texprior.flow.condition import blurred, noised


@pytest.mark.parametrize("size", [(17, 23), (3, 5)])
@pytest.mark.parametrize("sigma", [0.4, 1.5, 3.0])
def test_blur_is_scipys(sigma, size):
    """scipy cuts off at 4 sigma as well; ``nearest`` goes on with the border pixels."""
    image = torch.rand((2, 3, *size), generator=torch.Generator().manual_seed(0))
    expected = gaussian_filter(image.double().numpy(), (0, 0, sigma, sigma), mode="nearest", truncate=4.0)
    assert np.abs(blurred(image, sigma).numpy() - expected).max() < 1e-6


def test_no_blur_is_the_picture_itself():
    image = torch.rand(1, 3, 8, 8)
    assert blurred(image, 0.0) is image


def test_noise_has_its_standard_deviation_and_no_clip():
    image = torch.ones(1, 3, 64, 64)
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(0))
    out = noised(image, 0.1, noise)
    assert torch.allclose((out - image) / 0.1, noise, atol=1e-5)
    assert out.max() > 1
