"""Kernels at random places: both ways to add them are SciPy's convolution."""

import numpy as np
import pytest
import torch
from scipy.signal import fftconvolve

from texprior_plugins.degradation import _scatter
from texprior_plugins.degradation._scatter import by_transform, one_after_the_other, scattered


def field(count, size, seed=0):
    """A field that is 0 except at ``count`` pixels, as places, strengths and a map."""
    rng = np.random.default_rng(seed)
    here = torch.from_numpy(np.argwhere(rng.permutation(size[0] * size[1]).reshape(size) < count))
    strength = torch.from_numpy(rng.random(count, dtype=np.float32))
    whole = np.zeros(size)
    whole[tuple(here.numpy().T)] = strength.numpy()
    return here, strength, whole


@pytest.mark.parametrize("count", [0, 1, 40, 1500])
def test_both_ways_are_scipys_convolution(count):
    size, kernel = (51, 60), np.random.default_rng(1).random((9, 9))
    kernel[kernel < 0.3] = 0
    here, strength, whole = field(count, size)
    expected = fftconvolve(whole, kernel, mode="valid")
    assert expected.shape == (43, 52)
    single = one_after_the_other(*here.numpy().T, strength.numpy().astype(float), kernel, size)
    for sums in (single, by_transform(whole, kernel), scattered(here, strength, kernel, size)):
        np.testing.assert_allclose(sums, expected, atol=1e-12)


def test_few_kernels_cost_no_transform_and_many_cost_no_addition(monkeypatch):
    def never(*_):
        raise AssertionError("this way is the slow one here")

    kernel = np.ones((9, 9))
    for way, count in (("by_transform", 20), ("one_after_the_other", 2000)):
        with monkeypatch.context() as patch:
            patch.setattr(_scatter, way, never)
            scattered(*field(count, (51, 60))[:2], kernel, (51, 60))


def test_a_kernel_larger_than_the_picture_reaches_into_it():
    here, strength, whole = field(30, (44, 43))
    kernel = np.random.default_rng(2).random((41, 41))
    np.testing.assert_allclose(
        scattered(here, strength, kernel, (44, 43)), fftconvolve(whole, kernel, mode="valid"), atol=1e-12
    )
