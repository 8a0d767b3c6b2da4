"""Rain adds light, as much as its options say, in the direction that they say."""

import numpy as np
import pytest
import torch

from texprior.diffusion.keys import generator
from texprior_plugins.degradation import RainOptions
from texprior_plugins.degradation.rain import LAYERS, MEAN_DROP, Rain, layer_kernel, streak

BLACK = torch.zeros(3, 160, 160)


def light(seed=0, **options):
    return Rain(RainOptions(**options))(BLACK, generator(seed))[0]


def test_no_pixel_is_darkened_and_all_channels_get_the_same_light(photographs):
    for i, image in enumerate(photographs):
        added = Rain(RainOptions())(image, generator(i)) - image
        assert added.min() >= 0
        assert added.max() > 0.3
    rainy = Rain(RainOptions())(BLACK, generator(0))
    assert torch.equal(rainy[0], rainy[2])


def test_mean_light_is_density_times_the_light_of_a_drop():
    """E[R] = intensity * density * E[drop] * sum over layers of share * sum of the kernel (Campbell's theorem)."""
    options = RainOptions(density=0.02, intensity=0.2, width=2.0, angle_min=0.0, angle_max=0.0)
    per_drop = sum(layer.share * layer_kernel(layer, options, 0.0).sum() for layer in LAYERS)
    expected = options.intensity * options.density * MEAN_DROP * per_drop
    measured = np.mean([Rain(options).light(256, 256, generator(i)).mean() for i in range(6)])
    assert measured == pytest.approx(expected, rel=0.04)  # 3 standard errors of 7,900 drops


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("density", (0.001, 0.003, 0.009)),
        ("length", (6.0, 18.0, 54.0)),
        ("width", (0.8, 1.6, 3.2)),
        ("intensity", (0.1, 0.3, 0.9)),
    ],
)
def test_more_of_anything_is_more_light(option, values):
    means = [np.mean([light(i, **{option: value}).mean() for i in range(2)]) for value in values]
    assert means[0] * 1.5 < means[1]
    assert means[1] * 1.3 < means[2]


def test_none_of_it_leaves_the_picture(photographs):
    assert torch.equal(Rain(RainOptions(density=0.0))(photographs[0], generator(0)), photographs[0])


@pytest.mark.parametrize("angle", [-50.0, 0.0, 30.0])
def test_streaks_point_where_they_are_told(angle):
    """The structure tensor's weak axis is the direction of fall, counted from the vertical towards the right."""
    rain = light(angle_min=angle, angle_max=angle, length=32.0, width=4.0).double()
    y, x = torch.gradient(rain)
    doubled = torch.atan2(2 * (x * y).mean(), (x**2 - y**2).mean())
    across = torch.rad2deg(doubled / 2)  # direction of the strongest change, from the x axis, y downwards
    assert (-across.item() - angle + 90) % 180 - 90 == pytest.approx(0, abs=4)


@pytest.mark.parametrize(("length", "width"), [(24.0, 2.0), (40.0, 3.0)])
def test_a_streak_has_its_length_and_width_at_half_its_height(length, width):
    kernel = streak(length, width, 0.0)
    half = len(kernel) // 2
    assert kernel[half, half] == kernel.max() == 1
    assert (kernel[:, half] >= 0.5).sum() == pytest.approx(length, abs=1)
    across = kernel[half].sum()  # a Gaussian of full width w at half maximum has the integral w sqrt(pi / (4 ln 2))
    assert across == pytest.approx(width * np.sqrt(np.pi / (4 * np.log(2))), rel=1e-3)
