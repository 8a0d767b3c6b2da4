"""Snow: the area of its flakes, what blurs them, and how much they cover."""

import numpy as np
import pytest
import torch

from texprior.diffusion.keys import generator
from texprior_plugins.degradation import SnowOptions
from texprior_plugins.degradation._light import to_light
from texprior_plugins.degradation.snow import DISTANCES, SHAPES, Snow, flake, path, shares

ROUND = np.zeros((4, 2))


@pytest.mark.parametrize("radius", [0.3, 0.7, 1.5, 4.0, 9.3])
def test_a_round_flake_has_the_area_of_a_disc(radius):
    assert flake(radius, ROUND).sum() == pytest.approx(np.pi * radius**2, rel=0.025 if radius < 1 else 3e-3)
    assert flake(radius, ROUND).max() <= 1


def test_lobes_add_half_their_squares_to_the_area():
    """The area inside r (1 + sum a_k cos(k phi + psi_k)) is pi r² (1 + sum a_k² / 2)."""
    lobes = np.array([(0.2, 1.0), (0.1, 2.0), (0.1, 0.3), (0.05, 4.0)])
    expected = np.pi * 12.0**2 * (1 + (lobes[:, 0] ** 2).sum() / 2)
    assert flake(12.0, lobes).sum() == pytest.approx(expected, rel=2e-3)


@pytest.mark.parametrize(("length", "angle"), [(0.0, 0.0), (5.0, 0.0), (12.0, 30.0), (20.0, -75.0)])
def test_a_way_has_its_length_and_direction(length, angle):
    """Second moments of a straight way: L²/12 along it, none across, and 1/6 or less of sharing between pixels."""
    kernel = path(length, angle)
    half = len(kernel) // 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    down, right = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    assert kernel.sum() == pytest.approx(1)
    assert abs((kernel * y).sum()) + abs((kernel * x).sum()) < 1e-12
    along = (kernel * (y * down + x * right) ** 2).sum()
    across = (kernel * (x * down - y * right) ** 2).sum()
    points = 4 * max(int(np.ceil(length / 2)), 0) + 1
    spaced = length**2 / 12 * (points + 1) / (points - 1) if length else 0  # equally spaced points, both ends included
    assert along == pytest.approx(spaced, abs=0.26)
    assert across < 0.26


def test_blur_and_motion_keep_what_a_flake_covers():
    sharp = Snow(SnowOptions(motion=0.0, blur=0.0, size=3.0))
    blurred = Snow(SnowOptions(motion=9.0, blur=2.0, size=3.0))
    for distance in DISTANCES:
        one, other = (snow.kernel(distance, 20.0, generator(1)) for snow in (sharp, blurred))
        assert other.sum() == pytest.approx(one.sum(), rel=1e-9)
        assert other.max() < one.max()


def test_mean_cover_is_density_times_the_area_of_a_flake():
    """Layers of one shape are independent: E[1 - z] is the product of 1 - opacity * density * share * 3/4 * area. A
    radius varies by 30 % (E r² = 1.03 r²), lobes a_k by U(0, 1/(2k)) (E a_k² = 1/(12 k²))."""
    options = SnowOptions(density=0.02, size=1.0, motion=0.0, blur=0.0, opacity=0.3)
    lobes = sum(1 / (12 * k**2) for k in range(2, 6)) / 2
    areas = np.pi * (options.size / np.array(DISTANCES)) ** 2 * 1.03 * (1 + lobes)
    expected = 1 - np.prod(1 - 0.3 * options.density * shares() / SHAPES * 0.75 * areas) ** SHAPES
    snow = Snow(options)
    measured = [snow.cover(256, 256, snow.draw(generator(i), (256, 256))).mean() for i in range(8)]
    error = np.std(measured) / np.sqrt(len(measured))
    assert np.mean(measured) == pytest.approx(expected, abs=3 * error)
    assert 3 * error < 0.1 * expected


def test_flakes_show_their_light_and_no_density_leaves_the_picture(photographs):
    snow = Snow(SnowOptions(brightness=0.7))
    recipe = snow.draw(generator(2), (96, 128))
    cover = torch.from_numpy(snow.cover(96, 128, recipe))
    seen = to_light(snow.apply(torch.zeros(3, 96, 128), recipe))
    torch.testing.assert_close(seen, (0.7 * cover).expand(3, -1, -1), atol=1e-6, rtol=0)
    assert cover.max() > 0.5
    clear = Snow(SnowOptions(density=0.0))(photographs[0], generator(0))
    assert (clear - photographs[0]).abs().max() < 2e-6


def test_there_are_flakes_of_several_sizes():
    """A flake's mean radius is the size over the distance: 1.03 pi r² of area, but for the lobes' 2 %."""
    snow, rng = Snow(SnowOptions(motion=0.0, blur=0.0, size=2.0)), generator(0)
    areas = [np.mean([snow.kernel(d, 0.0, rng).sum() for _ in range(40)]) for d in DISTANCES]
    expected = 1.03 * 1.02 * np.pi * (2.0 / np.array(DISTANCES)) ** 2
    np.testing.assert_allclose(areas, expected, rtol=0.17)  # 3 standard errors of (0.7 to 1.3)² at n = 40
