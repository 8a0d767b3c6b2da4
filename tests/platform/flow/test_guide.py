"""Guidance and the coarse part of a layer, against their formulas."""

import pytest
import torch
from scipy.ndimage import gaussian_filter

from texprior.errors import ContractError
from texprior.flow.guide import FirstCall, guided_by, with_coarse_part


def test_guidance_extrapolates_from_the_weak_denoiser():
    """w = 1 is D, w = 0 the weak one, and in between and beyond it is linear."""
    x, sigma = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0)), torch.tensor(2.0)
    strong, weak = (lambda x, sigma: x / (1 + sigma)), (lambda x, sigma: 0.1 * x)
    for weight in (0.0, 0.5, 1.0, 2.0):
        expected = (1 - weight) * weak(x, sigma) + weight * strong(x, sigma)
        torch.testing.assert_close(guided_by(strong, weak, weight)(x, sigma), expected)


def test_the_coarse_part_is_exchanged_and_the_fine_part_stays():
    """The result is the fine part of one layer and the coarse part of the other, by scipy's Gaussian."""
    fine, coarse = torch.randn(2, 1, 3, 40, 48, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def low(layer):
        return torch.from_numpy(gaussian_filter(layer.numpy(), (0, 0, 3, 3), mode="nearest"))

    torch.testing.assert_close(with_coarse_part(fine, coarse, 3.0), fine - low(fine) + low(coarse))


def test_the_first_call_is_kept_as_it_was():
    """A sampler that changes what it got does not change the kept result, and later calls do not replace it."""
    denoise = FirstCall(lambda x, sigma: x * sigma)
    denoise(torch.ones(1), torch.tensor(3.0)).zero_()
    denoise(torch.ones(1), torch.tensor(1.0))
    assert denoise.result(object()) == 3


def test_a_sampler_without_a_call_is_named():
    """There is no first noise level then."""
    with pytest.raises(ContractError, match="never called the denoiser"):
        FirstCall(lambda x, sigma: x).result(object())
