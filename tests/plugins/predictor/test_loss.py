"""The losses that predictors share, of errors whose pixels and spectra are known."""

import numpy as np
import pytest
import torch

from texprior_plugins.predictor import LossOptions
from texprior_plugins.predictor._loss import distance

SIDE = 8


@pytest.fixture
def clean():
    return torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def frequency(estimate, clean, form="complex", weight=1.0):
    """The frequency term alone."""
    both = distance(estimate, clean, LossOptions(frequency_weight=weight, frequency=form))
    return (both - distance(estimate, clean, LossOptions())).tolist()


@pytest.mark.parametrize(("loss", "expected"), [("l1", 0.5), ("l2", 0.25), ("charbonnier", (0.25 + 1e-6) ** 0.5)])
def test_of_a_constant_error(clean, loss, expected):
    assert distance(clean + 0.5, clean, LossOptions(loss=loss)).tolist() == pytest.approx([expected] * 2, rel=1e-9)


def test_charbonnier_is_rounded_at_no_error(clean):
    assert distance(clean, clean, LossOptions(loss="charbonnier")).tolist() == pytest.approx([1e-3] * 2)


def test_a_constant_error_is_in_one_coefficient(clean):
    """e everywhere: one coefficient e n of n^2, orthonormal, so that their mean is e / n."""
    assert frequency(clean + 0.5, clean) == pytest.approx([0.5 / SIDE] * 2, rel=1e-5)


def test_an_error_in_one_pixel_is_in_all_coefficients(clean):
    """|F| = e / n at every frequency of each channel: the mean is e / n, where the pixels' is e / n^2."""
    estimate = clean.clone()
    estimate[:, :, 3, 5] += 0.5
    assert frequency(estimate, clean) == pytest.approx([0.5 / SIDE] * 2, rel=1e-5)
    assert distance(estimate, clean, LossOptions()).tolist() == pytest.approx([0.5 / SIDE**2] * 2, rel=1e-9)


def test_it_is_numpys_transform(clean):
    estimate = clean.flip(-1)
    spectra = np.fft.fft2(np.stack([estimate.numpy(), clean.numpy()]), norm="ortho")
    complex_ = np.abs(spectra[0] - spectra[1]).mean((1, 2, 3))
    amplitude = np.abs(np.abs(spectra[0]) - np.abs(spectra[1])).mean((1, 2, 3))
    assert frequency(estimate, clean, weight=0.3) == pytest.approx((0.3 * complex_).tolist(), rel=1e-5)
    assert frequency(estimate, clean, "amplitude", 0.3) == pytest.approx((0.3 * amplitude).tolist(), rel=1e-4)


def test_amplitudes_see_no_shift(clean):
    shifted = clean.roll((2, 3), (-2, -1))
    assert frequency(shifted, clean, "amplitude") == pytest.approx([0, 0], abs=1e-6)
    assert min(frequency(shifted, clean)) > 0.1


def test_the_gradient_reaches_the_estimate_in_its_own_dtype(clean):
    estimate = clean.float().flip(-1).requires_grad_()
    for form in ("complex", "amplitude"):
        loss = distance(estimate, clean.float(), LossOptions(frequency_weight=0.1, frequency=form))
        (gradient,) = torch.autograd.grad(loss.sum(), estimate)
        assert gradient.dtype is torch.float32
        assert gradient.isfinite().all()
        assert gradient.any()
