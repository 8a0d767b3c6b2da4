"""Daubechies wavelets against PyWavelets."""

import math

import numpy as np
import pytest
import pywt
import torch

from texprior_plugins.decomposition import WaveletOptions
from texprior_plugins.decomposition.wavelet import Wavelet, scaling_filter


def without_details(image, name, level, share):
    """What PyWavelets reconstructs with the finest bands at 0 and the last of them scaled down by its share."""
    coefficients = pywt.wavedec2(image, name, mode="symmetric", level=level, axes=(-2, -1))
    coefficients[1:] = [tuple(np.zeros_like(d) for d in details) for details in coefficients[1:]]
    low = pywt.waverec2(coefficients, name, mode="symmetric", axes=(-2, -1))[..., : image.shape[-2], : image.shape[-1]]
    if share == 1:
        return low
    return share * low + (1 - share) * (without_details(image, name, level - 1, 1) if level > 1 else image)


@pytest.mark.parametrize("moments", range(1, 9))
def test_filters_are_those_of_the_tables(moments):
    np.testing.assert_allclose(scaling_filter(moments), pywt.Wavelet(f"db{moments}").rec_lo, atol=1e-13)


def test_db2_has_its_closed_form():
    root = math.sqrt(3)
    expected = [(1 + root), (3 + root), (3 - root), (1 - root)]
    np.testing.assert_allclose(scaling_filter(2), np.array(expected) / (4 * math.sqrt(2)), atol=1e-15)


@pytest.mark.filterwarnings("ignore:Level value of")  # small pictures are part of the test
@pytest.mark.parametrize("size", [(64, 96), (61, 78), (7, 5), (2, 33), (1, 6)])
@pytest.mark.parametrize(("moments", "levels"), [(2, 2), (1, 3), (4, 1), (3, 1.25), (2, 0.5)])
def test_structure_is_pywavelets_without_details(size, moments, levels):
    image = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    level = math.ceil(levels)
    expected = without_details(image.numpy(), f"db{moments}", level, levels - level + 1)
    ours = Wavelet(WaveletOptions(moments=moments, levels=levels)).structure(image)
    np.testing.assert_allclose(ours.numpy(), expected, atol=1e-12)


def test_layers_of_haar_are_orthogonal_where_the_size_is_a_power_of_two(photograph):
    image = photograph[..., :128, :128].double()
    S, T = Wavelet(WaveletOptions(moments=1, levels=3))(image)
    assert (S * T).sum().abs() < 1e-9
    assert (S[..., ::8, ::8] - S[..., 7::8, 7::8]).abs().max() < 1e-14
    assert (S[..., ::8, ::8] - torch.nn.functional.avg_pool2d(image, 8)).abs().max() < 1e-14
