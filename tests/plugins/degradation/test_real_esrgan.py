"""Real-ESRGAN's degradation: its kernels in closed form, its probabilities, its noise."""

import numpy as np
import pytest
import torch

from texprior.diffusion.keys import generator
from texprior_plugins.degradation import RealEsrganOptions
from texprior_plugins.degradation._kernels import density, draw_kernel, kernel_of, sinc
from texprior_plugins.degradation.real_esrgan import RealEsrgan, _round

PLAIN = {"kernel": None, "factor": 1.0, "mode": "box", "grey": False, "seed": 5}


def moments(kernel):
    half = len(kernel) // 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    return [(kernel * moment).sum() for moment in (x * x, y * y, x * y)]


def test_a_gaussian_has_its_variances_and_direction():
    assert moments(density("gaussian", 61, (3.0, 3.0), 0.0, 1.0)) == pytest.approx([9, 9, 0], abs=1e-6)
    assert moments(density("gaussian", 61, (4.0, 2.0), 0.0, 1.0)) == pytest.approx([16, 4, 0], abs=1e-3)
    assert moments(density("gaussian", 61, (4.0, 2.0), np.pi / 4, 1.0)) == pytest.approx([10, 10, 6], abs=1e-3)


@pytest.mark.parametrize(
    ("form", "beta", "expected"),
    [
        ("generalized", 2.0, np.exp(-(2.0**2) / 2)),
        ("generalized", 0.5, np.exp(-(2.0**0.5) / 2)),
        ("plateau", 1.5, 1 / (1 + 2.0**1.5)),
    ],
)
def test_generalised_gaussians_and_plateaus_fall_as_they_should(form, beta, expected):
    """At the point where q = x' Sigma^-1 x = 2, relative to the centre: exp(-q^beta / 2), 1 / (1 + q^beta)."""
    kernel = density(form, 21, (3.0, 3.0), 0.0, beta)
    assert kernel[10 + 3, 10 + 3] / kernel[10, 10] == pytest.approx(expected)
    assert kernel.sum() == pytest.approx(1)


def test_a_sinc_filter_passes_what_is_below_its_cutoff():
    """Its transfer function is about 1 within the disc of radius w and 0 outside (it is cut off at 61 px)."""
    kernel = sinc(61, np.pi / 2)
    transfer = np.fft.fft2(np.fft.ifftshift(np.pad(kernel, 34))).real
    assert transfer[0, 0] == pytest.approx(1)
    frequency = np.fft.fftfreq(129) * 2 * np.pi
    row = transfer[0]
    assert np.abs(row[np.abs(frequency) < 0.8 * np.pi / 2] - 1).max() < 0.06
    assert np.abs(row[np.abs(frequency) > 1.2 * np.pi / 2]).max() < 0.06


def test_probabilities_and_ranges_are_the_published_ones():
    drawn = [RealEsrgan(RealEsrganOptions()).draw(generator(i), (64, 64)) for i in range(2000)]
    first, second = zip(*(recipe["rounds"] for recipe in drawn), strict=True)
    ends = [recipe["end"] for recipe in drawn]

    def share(of, where):
        return np.mean([bool(where(x)) for x in of])

    found = {
        "up 1": (share(first, lambda r: r["factor"] > 1), 0.2),
        "down 1": (share(first, lambda r: r["factor"] < 1), 0.7),
        "up 2": (share(second, lambda r: r["factor"] > 1), 0.3),
        "down 2": (share(second, lambda r: r["factor"] < 1), 0.4),
        "sinc": (share(first, lambda r: r["kernel"]["form"] == "sinc"), 0.1),
        "no second blur": (share(second, lambda r: r["kernel"] is None), 0.2),
        "gaussian": (share(first, lambda r: "gaussian" in r["noise"]), 0.5),
        "grey": (share(second, lambda r: r["grey"]), 0.4),
        "final sinc": (share(ends, lambda e: e["sinc"]), 0.8),
        "jpeg last": (share(ends, lambda e: e["jpeg_last"]), 0.5),
        "plateau": (share(first, lambda r: r["kernel"]["form"] == "plateau"), 0.9 * 0.15),
        "generalized": (share(first, lambda r: r["kernel"]["form"] == "generalized"), 0.9 * 0.15),
    }
    for name, (measured, expected) in found.items():
        assert measured == pytest.approx(expected, abs=3.3 * np.sqrt(expected * (1 - expected) / 2000)), name
    for rounds, factors, sigma, noise, poisson in (
        (first, (0.15, 1.5), 3.0, 30, 3.0),
        (second, (0.3, 1.2), 1.5, 25, 2.5),
    ):
        assert factors[0] <= min(r["factor"] for r in rounds) <= max(r["factor"] for r in rounds) <= factors[1]
        assert max(max(r["kernel"]["sigmas"]) for r in rounds if "sigmas" in (r["kernel"] or {})) <= sigma
        strengths = [r["noise"]["gaussian"] for r in rounds if "gaussian" in r["noise"]]
        assert (min(strengths) >= 1, max(strengths) <= noise, max(strengths) > 0.95 * noise) == (True, True, True)
        photons = [r["noise"]["poisson"] for r in rounds if "poisson" in r["noise"]]
        assert (min(photons) >= 0.05, max(photons) <= poisson, max(photons) > 0.95 * poisson) == (True, True, True)
        assert {r["quality"] for r in rounds} == set(range(30, 96))
        assert {r["kernel"]["size"] for r in rounds if r["kernel"]} == set(range(7, 22, 2))


def test_every_kernel_sums_to_1():
    for i in range(60):
        kernel = kernel_of(draw_kernel(3.0, generator(i)))
        assert kernel.sum() == pytest.approx(1)
        assert np.isfinite(kernel).all()


def test_noise_has_its_strength():
    """Gaussian: the recipe's standard deviation. Poisson at 256 photons for white: scale² x / 256. Grey: one field."""
    flat = torch.full((3, 200, 200), 0.5)
    gaussian = _round(flat, {**PLAIN, "noise": {"gaussian": 12.0}}, 200, 200) - flat
    assert gaussian.std() * 255 == pytest.approx(12.0, rel=0.02)
    poisson = _round(flat, {**PLAIN, "noise": {"poisson": 1.5}}, 200, 200) - flat
    assert poisson.var().item() == pytest.approx(1.5**2 * 0.5 / 256, rel=0.03)
    grey = _round(flat, {**PLAIN, "grey": True, "noise": {"poisson": 1.5}}, 200, 200) - flat
    assert (grey[0] - grey[2]).abs().max() < 1e-6


def test_the_picture_comes_back_to_its_size_with_less_detail(photographs):
    """By a factor of 4 nothing is left of the upper half of the frequencies, so that neighbours are alike."""
    image = photographs[0]
    degraded = RealEsrgan(RealEsrganOptions(scale=4.0))(image, generator(0))
    detail = [(x[:, :, 2:] - 2 * x[:, :, 1:-1] + x[:, :, :-2]).std() for x in (image, degraded)]
    assert detail[1] < 0.6 * detail[0]
