"""Between values and linear light, and the noise of a sensor there."""

import numpy as np
import pytest
import torch

from texprior.diffusion.keys import generator
from texprior_plugins.degradation import CameraNoiseOptions, LowLightOptions
from texprior_plugins.degradation._light import to_light, to_values
from texprior_plugins.degradation.camera_noise import CameraNoise
from texprior_plugins.degradation.low_light import LowLight


def flat(*levels, side=160):
    """A picture whose channels have the given linear light."""
    return to_values(torch.tensor(levels)[:, None, None].expand(3, side, side))


def test_light_is_that_of_srgb():
    """IEC 61966-2-1: middle grey 0.5 is 0.21404 of white; both pieces meet at 0.04045."""
    values = torch.tensor([0.0, 0.04045, 0.5, 1.0], dtype=torch.float64)
    expected = torch.tensor([0.0, 0.04045 / 12.92, ((0.5 + 0.055) / 1.055) ** 2.4, 1.0], dtype=torch.float64)
    torch.testing.assert_close(to_light(values), expected, atol=1e-7, rtol=0)
    assert to_light(values)[2] == pytest.approx(0.21404, abs=1e-5)
    every = torch.linspace(0, 1, 256)
    assert (to_values(to_light(every)) - every).abs().max() < 2e-6
    assert to_values(torch.tensor([-0.2, 1.3])).tolist() == pytest.approx([0.0, 1.0], abs=1e-6)


def test_the_variance_of_camera_noise_is_a_line_of_the_light():
    """Var z = a y + b (Foi et al. 2008, eq. 4): slope and intercept are the recipe's."""
    shot, read = 4e-4, 2e-5
    noise = CameraNoise(CameraNoiseOptions())
    levels = np.array([0.05, 0.2, 0.35, 0.5, 0.65, 0.8])
    variances, means = [], []
    for i, level in enumerate(levels):
        seen = to_light(noise.apply(flat(level, level, level), {"shot": shot, "read": read, "seed": i}).double())
        variances.append(seen.var().item())
        means.append(seen.mean().item())
    slope, intercept = np.polyfit(levels, variances, 1)
    assert slope == pytest.approx(shot, rel=0.02)
    assert intercept == pytest.approx(read, rel=0.15)
    np.testing.assert_allclose(means, levels, atol=2e-4)


def test_the_levels_of_noise_go_together_as_in_cameras():
    """log b = 2.18 log a + 1.2 with a spread of 0.26 (Brooks et al. 2019); a log-uniform in its range."""
    noise = CameraNoise(CameraNoiseOptions(shot_min=1e-4, shot_max=1e-2))
    drawn = [noise.draw(generator(i), (8, 8)) for i in range(400)]
    shot, read = (np.log([recipe[name] for recipe in drawn]) for name in ("shot", "read"))
    assert (shot.min() >= np.log(1e-4), shot.max() <= np.log(1e-2)) == (True, True)
    assert shot.mean() == pytest.approx(np.log(1e-3), abs=0.2)  # 3 standard errors of a uniform of width ln 100
    slope, offset = np.polyfit(shot, read, 1)
    assert slope == pytest.approx(2.18, abs=0.03)
    assert (read - 2.18 * shot).mean() == pytest.approx(1.2, abs=0.04)
    assert (read - slope * shot - offset).std() == pytest.approx(0.26, abs=0.03)
    given = CameraNoise(CameraNoiseOptions(read=1e-5)).draw(generator(0), (8, 8))
    assert given["read"] == 1e-5


def test_low_light_scales_linear_light():
    """E[light] = light * 2^-stops * cast, whatever the white balance; noise is that of the raw levels, amplified."""
    recipe = {"stops": 2.5, "balance": [2.0, 1.0, 1.6], "cast": [1.1, 1.0, 0.9]}
    recipe["noise"] = {"shot": 1e-4, "read": 1e-7, "seed": 3}
    levels = (0.9, 0.6, 0.75)
    seen = to_light(LowLight(LowLightOptions()).apply(flat(*levels), recipe).double())
    for channel, level, balance, cast in zip(seen, levels, recipe["balance"], recipe["cast"], strict=True):
        exposed = level * 2**-2.5
        assert channel.mean().item() == pytest.approx(exposed * cast, rel=2e-3)
        variance = (1e-4 * exposed / balance + 1e-7) * (balance * cast) ** 2
        assert channel.var().item() == pytest.approx(variance, rel=0.03)


def test_low_light_draws_stops_and_cast_from_their_ranges():
    dark = LowLight(LowLightOptions(stops_min=1.0, stops_max=3.0, cast=0.5))
    drawn = [dark.draw(generator(i), (8, 8)) for i in range(200)]
    stops = np.array([recipe["stops"] for recipe in drawn])
    assert (stops.min() >= 1, stops.max() <= 3) == (True, True)
    assert stops.mean() == pytest.approx(2, abs=0.13)  # 3 standard errors
    red, green, blue = np.log2([recipe["cast"] for recipe in drawn]).T
    np.testing.assert_allclose(red, -blue, atol=1e-12)
    assert np.abs(red).max() <= 0.5
    assert not green.any()
