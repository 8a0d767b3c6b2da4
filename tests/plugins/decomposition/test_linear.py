"""The linear filters: Gaussian, Laplacian pyramid, none, against SciPy, OpenCV and closed forms."""

import math

import cv2
import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from texprior_plugins.decomposition import GaussianOptions, LaplacianOptions, NoneOptions
from texprior_plugins.decomposition._borders import mirrored
from texprior_plugins.decomposition.gaussian import Gaussian
from texprior_plugins.decomposition.laplacian import Laplacian, expanded, reduced
from texprior_plugins.decomposition.none import Nothing


def random(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("size", [(61, 78), (5, 3), (1, 9)])
@pytest.mark.parametrize("sigma", [0.3, 2.0, 11.0])
def test_gaussian_is_scipys_at_any_size(size, sigma):
    image = random(2, 3, *size)
    expected = gaussian_filter(image.numpy(), sigma, mode="reflect", truncate=4, axes=(-2, -1))
    ours = Gaussian(GaussianOptions(sigma=sigma)).structure(image)
    np.testing.assert_allclose(ours.numpy(), expected, atol=1e-13)


def test_gaussian_damps_a_wave_as_its_transfer_function_says():
    """cos(pi k (2n + 1) / 2N) has mirrored borders and is an eigenvector; its eigenvalue is exp(-sigma² w² / 2)."""
    n, k, sigma = 96, 6, 2.0
    frequency = math.pi * k / n
    wave = torch.cos(frequency * (torch.arange(n, dtype=torch.float64) + 0.5)).expand(1, 1, 40, n)
    S = Gaussian(GaussianOptions(sigma=sigma)).structure(wave)
    np.testing.assert_allclose(S.numpy(), math.exp(-((sigma * frequency) ** 2) / 2) * wave.numpy(), atol=1e-4)


@pytest.mark.parametrize("edge_twice", [True, False])
@pytest.mark.parametrize("n", [1, 2, 5])
def test_mirrored_goes_on_for_ever_as_numpys_pad_does(n, edge_twice):
    image = random(1, 1, n, 3)
    mode = "symmetric" if edge_twice else "reflect"
    expected = np.pad(image.numpy(), ((0, 0), (0, 0), (4, 13), (0, 0)), mode=mode)
    np.testing.assert_array_equal(mirrored(image, 4, 13, -2, edge_twice).numpy(), expected)


@pytest.mark.parametrize("size", [(61, 78), (64, 63), (9, 2), (1, 6), (4, 1)])
def test_pyramid_steps_are_opencvs(size):
    image = random(1, 1, *size)
    small = reduced(image)
    np.testing.assert_allclose(small[0, 0].numpy(), cv2.pyrDown(image[0, 0].numpy()), atol=1e-14)
    back = cv2.pyrUp(small[0, 0].numpy(), dstsize=size[::-1])
    np.testing.assert_allclose(expanded(small, size)[0, 0].numpy(), back, atol=1e-14)


def test_pyramid_takes_away_whole_bands_and_a_share_of_the_last(photograph):
    image = photograph.double()
    first = expanded(reduced(image), image.shape[-2:])
    second = reduced(reduced(image))
    low = expanded(expanded(second, reduced(image).shape[-2:]), image.shape[-2:])
    for levels, expected in {0.25: 0.75 * image + 0.25 * first, 1: first, 1.5: (first + low) / 2, 2: low}.items():
        S = Laplacian(LaplacianOptions(levels=levels)).structure(image)
        assert (S - expected).abs().max() < 1e-14


def test_none_leaves_one_colour(photograph):
    structure, texture = Nothing(NoneOptions())(photograph)
    means = photograph.double().mean((-2, -1))
    assert (structure - means[..., None, None].float()).abs().max() == 0
    assert texture.double().mean((-2, -1)).abs().max() <= 2**-25  # half of the last bit of a float32 below 1
    assert texture.std().item() == pytest.approx((photograph - means[..., None, None]).std().item(), rel=1e-6)
