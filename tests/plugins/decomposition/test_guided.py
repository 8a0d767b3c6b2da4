"""The guided filter against two independent computations in float64."""

import numpy as np
import pytest
import torch
from scipy.ndimage import uniform_filter

from texprior_plugins.decomposition import GuidedOptions
from texprior_plugins.decomposition.guided import Guided, box_mean


def by_definition(image, radius, eps):
    """He 2010, equations 5, 6 and 8, one window at a time."""

    def windows(values):
        height, width = values.shape
        for y in range(height):
            for x in range(width):
                yield values[max(0, y - radius) : y + radius + 1, max(0, x - radius) : x + radius + 1]

    a = np.array([w.var() / (w.var() + eps) for w in windows(image)]).reshape(image.shape)
    b = np.array([w.mean() for w in windows(image)]).reshape(image.shape) * (1 - a)
    means = [np.array([w.mean() for w in windows(c)]).reshape(image.shape) for c in (a, b)]
    return means[0] * image + means[1]


@pytest.mark.parametrize(("size", "radius", "eps"), [((13, 17), 2, 0.01), ((6, 9), 8, 1e-3), ((1, 12), 3, 1e-6)])
def test_equals_the_definition_borders_included(size, radius, eps):
    image = np.random.default_rng(0).random((2, *size))
    ours = Guided(GuidedOptions(radius=radius, eps=eps)).structure(torch.from_numpy(image)[None])[0].numpy()
    expected = np.stack([by_definition(channel, radius, eps) for channel in image])
    np.testing.assert_allclose(ours, expected, atol=1e-11)


def test_equals_scipy_box_filters_inside(photograph):
    radius, eps = 8, 0.01
    image = photograph[0].double().numpy()

    def box(values):
        return uniform_filter(values, (1, 2 * radius + 1, 2 * radius + 1), mode="nearest")

    mean = box(image)
    variance = box(image**2) - mean**2
    a = variance / (variance + eps)
    expected = box(a) * image + box((1 - a) * mean)
    ours = Guided(GuidedOptions(radius=radius, eps=eps)).structure(photograph)[0].numpy()
    inside = (slice(None), slice(2 * radius, -2 * radius), slice(2 * radius, -2 * radius))
    np.testing.assert_allclose(ours[inside], expected[inside], atol=1e-7)


def test_small_variance_on_a_bright_ground_survives_float32():
    """A checkerboard of amplitude d has a = d² / (d² + eps) in even windows: .5 for eps = d², where float32 fails."""
    amplitude = 1e-3
    sign = torch.ones(64, 64)
    sign[::2, ::2] = sign[1::2, 1::2] = -1
    image = (0.9 + amplitude * sign)[None, None]
    layers = Guided(GuidedOptions(radius=8, eps=amplitude**2))(image)
    measured = (layers.texture * sign)[..., 16:-16, 16:-16].mean() / amplitude
    assert measured == pytest.approx(0.5, abs=2e-3)


def test_box_mean_is_over_the_pixels_inside():
    image = torch.arange(12.0, dtype=torch.float64).reshape(1, 1, 3, 4)
    means = box_mean(image, 1)[0, 0]
    assert means[0, 0] == (0 + 1 + 4 + 5) / 4
    assert means[0, 1] == (0 + 1 + 2 + 4 + 5 + 6) / 6
    assert means[1, 1] == image[0, 0, :3, :3].mean()
    assert torch.allclose(box_mean(image, 10), torch.full_like(image, 5.5), rtol=1e-14)
