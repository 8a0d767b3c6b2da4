"""Defocus against the closed forms of a disc."""

import numpy as np
import pytest
import torch

from texprior.diffusion.keys import generator
from texprior_plugins.degradation import DefocusOptions
from texprior_plugins.degradation._light import to_light
from texprior_plugins.degradation.defocus import Defocus, disc


def defocus(**options):
    return Defocus(DefocusOptions(**{"linear": False, **options}))


@pytest.mark.parametrize("radius", [0.0, 0.4, 0.7, 1.0, 2.0, 2.5, 5.3, 12.0])
def test_psf_is_a_symmetric_density(radius):
    psf = disc(radius)
    assert psf.sum() == pytest.approx(1, abs=1e-12)
    assert psf.min() >= 0
    np.testing.assert_allclose(psf, psf[::-1], atol=1e-15)
    np.testing.assert_allclose(psf, psf.T, atol=1e-15)


@pytest.mark.parametrize("radius", [2.0, 3.3, 5.0, 12.0])
def test_psf_has_the_second_moment_and_the_area_of_a_disc(radius):
    """A disc has variance r²/4 along each axis; spread over square pixels, 1/12 more. Its pixels weigh 1 / (pi r²)."""
    psf = disc(radius)
    k = np.arange(len(psf)) - len(psf) // 2
    assert (psf.sum(0) * k**2).sum() == pytest.approx(radius**2 / 4 + 1 / 12, rel=0.04)  # sampling a sharp rim
    assert psf.max() == pytest.approx(1 / (np.pi * radius**2), rel=2e-3)


def test_pixels_weigh_by_covered_area():
    """Radius 1, in closed form: the centre pixel lies inside, the others share the rest of pi."""
    psf = disc(1.0) * np.pi
    half = 0.5
    # Area of the disc with x > 1/2 and |y| < 1/2.
    side = half * np.sqrt(1 - half**2) + np.arcsin(half) - half
    assert psf[1, 1] == pytest.approx(1, abs=1e-3)
    assert psf[1, 2] == pytest.approx(side, abs=1e-3)
    assert psf[0, 0] == pytest.approx((np.pi - 1 - 4 * side) / 4, abs=1e-3)


def test_a_constant_picture_stays_constant_without_noise():
    image = torch.full((3, 20, 30), 0.37)
    degraded = defocus(radius=5.0, noise=0.0)(image, generator(0))
    assert (degraded - image).abs().max() <= 1e-7


def test_noise_has_its_standard_deviation_and_is_white():
    image = torch.full((3, 256, 256), 0.5)
    noise = defocus(radius=2.0, noise=2.0)(image, generator(0)) - image
    assert noise.std() * 255 == pytest.approx(2.0, rel=0.01)
    assert noise.mean() * 255 == pytest.approx(0.0, abs=0.02)
    neighbours = (noise[..., 1:] * noise[..., :-1]).mean() / noise.var()
    assert abs(neighbours) < 0.01


def test_a_point_becomes_the_psf():
    image = torch.zeros(3, 33, 33)
    image[:, 16, 16] = 1
    degraded = defocus(radius=4.0, noise=0.0)(image, generator(0))
    np.testing.assert_allclose(degraded[1, 12:21, 12:21], disc(4.0), atol=1e-7)


def test_radius_is_drawn_from_its_range_for_each_picture():
    image = torch.zeros(3, 41, 41)
    image[:, 20, 20] = 1
    blur = defocus(radius=2.0, radius_max=6.0, noise=0.0)
    radii = torch.tensor([float(1 / (np.pi * blur(image, generator(i)).max())) ** 0.5 for i in range(200)])
    assert radii.min() >= 2.0 * 0.99
    assert radii.max() <= 6.0 * 1.01
    assert radii.mean() == pytest.approx(4.0, abs=0.25)  # 3 standard errors of U(2, 6) at n = 200


def point(side=33):
    image = torch.zeros(3, side, side)
    image[:, side // 2, side // 2] = 1
    return image


def test_light_spreads_as_a_disc_and_none_of_it_is_lost():
    """In linear light, where energies add up: the disc of a bright point holds what the point had."""
    light = to_light(defocus(radius=4.0, noise=0.0, linear=True)(point(), generator(0)).double())
    np.testing.assert_allclose(light[1, 12:21, 12:21], disc(4.0), atol=1e-8)
    assert float(light[0].sum()) == pytest.approx(1, abs=1e-6)


def test_a_highlight_becomes_a_bright_disc():
    """By hand: radius 4 spreads white over 16 pi = 50.3 px; 1.055 (1 / 50.3)^(1 / 2.4) - 0.055 = 0.151, not 0.020."""
    old, new = (defocus(radius=4.0, noise=0.0, linear=linear)(point(), generator(0))[0, 16, 16] for linear in (0, 1))
    assert float(new) == pytest.approx(0.151, abs=5e-4)
    assert float(old) == pytest.approx(0.020, abs=5e-4)


def test_linear_light_is_the_default_and_a_constant_stays():
    image = torch.full((3, 20, 30), 0.37)
    blur = Defocus(DefocusOptions(radius=5.0, noise=0.0))
    assert blur.options.linear
    assert (blur(image, generator(0)) - image).abs().max() <= 1e-6
