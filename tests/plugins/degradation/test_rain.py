"""Rain covers as much as its options say, in the direction that they say, and shows its own light."""

import numpy as np
import pytest
import torch

from texprior.diffusion.keys import generator
from texprior_plugins.degradation import RainOptions
from texprior_plugins.degradation._light import to_light, to_values
from texprior_plugins.degradation.rain import DISTANCES, MEAN_DROP, Rain, shares, streak

STILL = {"angle_min": 0.0, "angle_max": 0.0}


def cover(seed=0, side=160, **options):
    rain = Rain(RainOptions(**options))
    return rain.cover(side, side, rain.draw(generator(seed), (side, side)))


def test_the_exposure_collects_the_drops_light_instead_of_the_backgrounds():
    """(1 - a) B + a E in linear light: on black what is seen is a E; against light equal to E rain is not seen."""
    rain = Rain(RainOptions(brightness=0.6, intensity=0.8))
    recipe = rain.draw(generator(0), (80, 90))
    a = torch.from_numpy(rain.cover(80, 90, recipe))
    seen = to_light(rain.apply(torch.zeros(3, 80, 90), recipe))
    torch.testing.assert_close(seen, (0.6 * a).expand(3, -1, -1), atol=1e-6, rtol=0)
    same = to_values(torch.full((3, 80, 90), 0.6))
    assert (rain.apply(same, recipe) - same).abs().max() < 1e-6
    assert (rain.apply(torch.ones(3, 80, 90), recipe) < 1 - 1e-3).any()


def test_mean_cover_is_density_times_the_cover_of_a_drop():
    """Layers are independent, so E[1 - a] is the product of 1 - intensity E[layer], and E[layer] = density * share *
    E[drop] * sum of the kernel (Campbell's theorem)."""
    options = RainOptions(density=0.02, intensity=0.2, width=2.0, length=20.0, **STILL)
    layers = [
        options.density * share * MEAN_DROP * streak(options.length / z, options.width / z, 0.0).sum()
        for z, share in zip(DISTANCES, shares(), strict=True)
    ]
    expected = 1 - np.prod([1 - options.intensity * layer for layer in layers])
    rain = Rain(options)
    measured = [rain.cover(256, 256, rain.draw(generator(i), (256, 256))).mean() for i in range(6)]
    assert np.mean(measured) == pytest.approx(expected, rel=0.03)


def test_drops_fill_the_space_evenly():
    """z² times as many at z times the distance."""
    assert shares().sum() == pytest.approx(1)
    np.testing.assert_allclose(shares() / np.square(DISTANCES), shares()[2])


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("density", (0.001, 0.003, 0.009)),
        ("length", (6.0, 18.0, 54.0)),
        ("width", (0.8, 1.6, 3.2)),
        ("intensity", (0.1, 0.3, 0.9)),
    ],
)
def test_more_of_anything_covers_more(option, values):
    given = {"density": 0.002, "intensity": 0.2}
    means = [np.mean([cover(i, **{**given, option: value}).mean() for i in range(2)]) for value in values]
    assert means[0] * 1.5 < means[1]
    assert means[1] * 1.3 < means[2]


def test_none_of_it_leaves_the_picture(photographs):
    clear = Rain(RainOptions(density=0.0))(photographs[0], generator(0))
    assert (clear - photographs[0]).abs().max() < 2e-6


@pytest.mark.parametrize("angle", [-50.0, 0.0, 30.0])
def test_streaks_point_where_they_are_told(angle):
    """The structure tensor's weak axis is the direction of fall, counted from the vertical towards the right."""
    rain = torch.from_numpy(cover(angle_min=angle, angle_max=angle, length=32.0, width=4.0, density=0.004)).double()
    y, x = torch.gradient(rain)
    doubled = torch.atan2(2 * (x * y).mean(), (x**2 - y**2).mean())
    across = torch.rad2deg(doubled / 2)  # direction of the strongest change, from the x axis, y downwards
    assert (-across.item() - angle + 90) % 180 - 90 == pytest.approx(0, abs=4)


@pytest.mark.parametrize(("length", "width"), [(24.0, 3.0), (40.0, 4.0)])
def test_a_streak_has_its_length_and_width_at_half_its_height(length, width):
    kernel = streak(length, width, 0.0)
    half = len(kernel) // 2
    assert kernel[half, half] == kernel.max()
    assert (kernel[:, half] >= kernel.max() / 2).sum() == pytest.approx(length, abs=1)
    above = np.flatnonzero(kernel[half] >= kernel.max() / 2)
    assert above[-1] - above[0] == pytest.approx(width, abs=1)


@pytest.mark.parametrize("width", [0.3, 1.0, 3.0])
def test_a_thin_streak_covers_a_part_of_its_pixels(width):
    """A Gaussian of full width w at half maximum has the integral w sqrt(pi / (4 ln 2)), sampled finely or not."""
    kernel = streak(24.0, width, 0.0)
    assert kernel[len(kernel) // 2].sum() == pytest.approx(width * np.sqrt(np.pi / (4 * np.log(2))), rel=0.01)
    assert kernel.max() <= 1
