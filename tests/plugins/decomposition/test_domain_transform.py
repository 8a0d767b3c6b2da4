"""The domain transform's recursive filter against the recursion as it is written, and SciPy."""

import math

import numpy as np
import pytest
import torch
from scipy.signal import lfilter

from texprior_plugins.decomposition import DomainTransformOptions
from texprior_plugins.decomposition.domain_transform import DomainTransform, recurse


def by_definition(image, sigma_space, sigma_range, iterations):
    """Gastal and Oliveira 2011, pixel after pixel, on (C, H, W)."""

    def along_rows(values, distance, sigma):
        feedback = np.exp(-math.sqrt(2) / sigma) ** distance
        result = values.copy()
        for n in range(1, values.shape[2]):
            result[:, :, n] += feedback[:, n - 1] * (result[:, :, n - 1] - result[:, :, n])
        for n in range(values.shape[2] - 2, -1, -1):
            result[:, :, n] += feedback[:, n] * (result[:, :, n + 1] - result[:, :, n])
        return result

    rows, columns = (1 + sigma_space / sigma_range * np.abs(np.diff(image, axis=a)).sum(0) for a in (2, 1))
    for i in range(iterations):
        sigma = sigma_space * math.sqrt(3) * 2 ** (iterations - i - 1) / math.sqrt(4**iterations - 1)
        image = along_rows(image, rows, sigma)
        image = along_rows(image.swapaxes(1, 2), columns.T, sigma).swapaxes(1, 2)
    return image


@pytest.mark.parametrize("size", [(19, 26), (1, 8), (9, 1)])
def test_equals_the_recursion(size):
    image = np.random.default_rng(0).random((3, *size))
    options = DomainTransformOptions(sigma_space=20, sigma_range=0.6)
    ours = DomainTransform(options).structure(torch.from_numpy(image)[None])[0]
    np.testing.assert_allclose(ours.numpy(), by_definition(image, 20, 0.6, 3), atol=1e-13)


@pytest.mark.parametrize("n", [1, 2, 31, 64, 100])
def test_a_constant_feedback_is_scipys_first_order_filter(n):
    image, f = torch.rand(n, 2, 1, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64), 0.97
    expected, _ = lfilter([1 - f], [1, -f], image.numpy(), axis=0, zi=f * image[:1].numpy())
    recurse(image.unbind(), torch.full((n - 1, 2, 1, 3), f, dtype=torch.float64).unbind())
    np.testing.assert_allclose(image.numpy(), expected, atol=1e-14)


def test_without_edges_its_variance_is_that_of_the_named_gaussian():
    """Far from edges an impulse becomes a kernel whose variance is sigma_space² along each axis (equation 14)."""
    image = torch.zeros(1, 1, 1, 1001, dtype=torch.float64)
    image[..., 500] = 1e-9  # too small to be an edge
    S = DomainTransform(DomainTransformOptions(sigma_space=12, sigma_range=50)).structure(image)[0, 0, 0] / 1e-9
    place = torch.arange(1001) - 500
    assert S.sum().item() == pytest.approx(1, abs=1e-9)
    assert (S * place**2).sum().item() == pytest.approx(12**2, rel=0.01)


def test_a_strong_edge_lets_through_what_its_feedback_says():
    """A pass takes no more than a^d of the contrast across an edge of distance d."""
    image = torch.full((1, 3, 32, 64), 0.2)
    image[..., 32:] = 0.8
    S = DomainTransform(DomainTransformOptions()).structure(image)
    sigmas = [60 * math.sqrt(3) * 2 ** (3 - i) / math.sqrt(63) for i in (1, 2, 3)]
    most = 2 * sum(math.exp(-math.sqrt(2) / sigma * (1 + 60 / 0.4 * 3 * 0.6)) for sigma in sigmas)
    assert 0 < (S - image).abs().max() <= 0.6 * most < 1e-3
