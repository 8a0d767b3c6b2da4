"""Bilateral filter and rolling guidance, against OpenCV, SciPy and the definition.

scikit-image's bilateral filter is no reference: its table of spatial weights is one column too wide for the window.
"""

import cv2
import numpy as np
import pytest
import torch
from scipy.ndimage import convolve, gaussian_filter

from texprior_plugins.decomposition import BilateralOptions, RollingGuidanceOptions
from texprior_plugins.decomposition._joint_bilateral import joint_bilateral
from texprior_plugins.decomposition.bilateral import Bilateral
from texprior_plugins.decomposition.rolling_guidance import RollingGuidance


def by_definition(image, guide, sigma_space, sigma_range):
    """One pixel at a time, on (C, H, W) with NumPy."""
    radius = int(np.ceil(3 * sigma_space))
    around = [(0, 0), (radius, radius), (radius, radius)]
    images, guides = (np.pad(x, around, mode="symmetric") for x in (image, guide))
    y, x = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    near = np.exp(-(x**2 + y**2) / (2 * sigma_space**2)) * (x**2 + y**2 <= radius**2)
    result = np.empty_like(image)
    for row, column in np.ndindex(*image.shape[1:]):
        window = np.s_[:, row : row + 2 * radius + 1, column : column + 2 * radius + 1]
        difference = guides[window] - guide[:, row, column][:, None, None]
        weight = near * np.exp(-(difference**2).sum(0) / (2 * sigma_range**2))
        result[:, row, column] = (weight * images[window]).sum((1, 2)) / weight.sum()
    return result


@pytest.mark.parametrize(("size", "sigma_space"), [((23, 17), 1.5), ((4, 9), 3.0)])
def test_joint_bilateral_is_its_definition_borders_included(size, sigma_space):
    image, guide = np.random.default_rng(0).random((2, 3, *size))
    ours = joint_bilateral(torch.from_numpy(image)[None], torch.from_numpy(guide)[None], sigma_space, 0.2)[0]
    np.testing.assert_allclose(ours.numpy(), by_definition(image, guide, sigma_space, 0.2), atol=1e-13)


def test_bilateral_of_one_channel_is_opencvs(photograph):
    """OpenCV works in float32 and reads its weights of colour from a table."""
    expected = cv2.bilateralFilter(photograph[0, 0].numpy(), 19, 0.1, 3, borderType=cv2.BORDER_REFLECT)
    ours = Bilateral(BilateralOptions(sigma_space=3, sigma_range=0.1)).structure(photograph[:, :1])[0, 0]
    np.testing.assert_allclose(ours.numpy(), expected, atol=2e-6)


def test_bilateral_of_a_wide_range_is_a_gaussian(crop):
    y, x = np.mgrid[-6:7, -6:7]
    kernel = np.exp(-(x**2 + y**2) / 8) * (x**2 + y**2 <= 36)
    image = crop[0].double().numpy() / 100
    expected = np.stack([convolve(channel, kernel / kernel.sum(), mode="reflect") for channel in image])
    ours = Bilateral(BilateralOptions(sigma_space=2, sigma_range=10)).structure(torch.from_numpy(image)[None])[0]
    np.testing.assert_allclose(ours.numpy(), expected, atol=1e-8)


def test_rolling_guidance_is_its_definition():
    image = np.random.default_rng(1).random((2, 19, 14)) * 0.2
    image[:, :, 7:] += 0.6
    guide = gaussian_filter(image, 1.2, mode="reflect", truncate=4, axes=(1, 2))
    for _ in range(3):
        guide = by_definition(image, guide, 1.2, 0.15)
    options = RollingGuidanceOptions(sigma_space=1.2, sigma_range=0.15, iterations=3)
    ours = RollingGuidance(options).structure(torch.from_numpy(image)[None])[0]
    np.testing.assert_allclose(ours.numpy(), guide, atol=1e-13)


def test_rolling_guidance_tells_scales_apart():
    """Dots of strong contrast go, the edge of a large square stays; the bilateral filter keeps both."""
    image = torch.full((1, 1, 64, 64), 0.2)
    image[..., 16:48, 16:48] = 0.8
    edges = image.clone()
    image[..., 24:40:8, 24:40:8] = 0.2
    rolled = RollingGuidance(RollingGuidanceOptions(sigma_space=3, sigma_range=0.1)).structure(image)
    kept = Bilateral(BilateralOptions(sigma_space=3, sigma_range=0.1)).structure(image)
    assert rolled[0, 0, 24, 24].item() == pytest.approx(0.8, abs=0.02)
    assert kept[0, 0, 24, 24].item() == pytest.approx(0.2, abs=0.02)
    assert (rolled - edges)[..., 32, 15:17].abs().max() < 0.05
