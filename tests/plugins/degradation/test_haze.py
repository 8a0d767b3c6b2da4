"""Haze against the scattering model, its depth against its cues, and rain under a veil."""

import numpy as np
import pytest
import torch

from texprior.diffusion.keys import generator
from texprior_plugins.degradation import HazeOptions, RainHazeOptions, RainOptions
from texprior_plugins.degradation._depth import attenuation, depth, guided, relief
from texprior_plugins.degradation.haze import Haze
from texprior_plugins.degradation.rain import Rain
from texprior_plugins.degradation.rain_haze import RainHaze

GROUND = {"ground": 1.0, "colour": 0.0, "relief": 0.0}
CLEAR = {"beta_min": 0.0, "beta_max": 0.0}


def test_haze_is_the_scattering_model(photographs):
    """On a ground plane up to the top edge: d = 1 - (i + 1/2) / H in row i, t = exp(-beta d), I = J t + A (1 - t)."""
    haze = Haze(HazeOptions(**GROUND))
    recipe = {"beta": 1.7, "airlight": [0.9, 0.8, 0.7], "horizon": 0.0, "seed": 1}
    picture = photographs[0].double().numpy()
    t = np.exp(-1.7 * (1 - (np.arange(96) + 0.5) / 96))[None, :, None]
    airlight = np.array(recipe["airlight"])[:, None, None]
    expected = picture * t + airlight * (1 - t)
    np.testing.assert_allclose(haze.apply(photographs[0], recipe), expected, atol=1e-6)


def test_above_the_horizon_everything_is_far():
    haze = Haze(HazeOptions(**GROUND))
    t = haze.transmission(torch.rand(3, 100, 7), {"beta": 2.0, "horizon": 0.4, "seed": 1})
    assert (t[:40] - np.exp(-2.0)).abs().max() < 1e-6
    assert t[-1, 0] == pytest.approx(np.exp(-2.0 * 0.005 / 0.6), abs=1e-6)
    assert (t.diff(dim=0) >= 0).all()


def test_without_thickness_the_picture_is_clear_and_with_much_only_air_is_seen(photographs):
    recipe = {"airlight": [0.9, 0.8, 0.7], "horizon": 0.3, "seed": 1}
    haze = Haze(HazeOptions())
    assert (haze.apply(photographs[1], {**recipe, "beta": 0.0}) - photographs[1]).abs().max() < 1e-6
    top = Haze(HazeOptions(**GROUND)).apply(photographs[1], {**recipe, "beta": 30.0})[:, 0]
    np.testing.assert_allclose(top, np.repeat([[0.9], [0.8], [0.7]], 128, 1), atol=1e-6)


def test_thickness_and_airlight_are_drawn_from_their_ranges():
    haze = Haze(HazeOptions(beta_min=1.0, beta_max=2.0, airlight_min=0.6, airlight_max=0.8, cast=0.05))
    drawn = [haze.draw(generator(i), (8, 8)) for i in range(200)]
    beta = np.array([recipe["beta"] for recipe in drawn])
    assert (beta.min() >= 1, beta.max() <= 2) == (True, True)
    assert beta.mean() == pytest.approx(1.5, abs=0.06)  # 3 standard errors
    red, green, blue = np.array([recipe["airlight"] for recipe in drawn]).T
    assert (green.min() >= 0.6, green.max() <= 0.8) == (True, True)
    np.testing.assert_allclose(red - green, green - blue, atol=1e-12)  # warmer or cooler, not pink or green
    assert np.abs(red - green).max() <= 0.05


def test_what_is_bright_and_pale_is_far():
    """The colour attenuation prior: 0.959710 v - 0.780245 s + const, here scaled to [0, 1]."""
    colours = {
        "white": (1, 1, 1),
        "grey": (0.5, 0.5, 0.5),
        "red": (1, 0, 0),
        "dark red": (0.2, 0, 0),
        "black": (0, 0, 0),
    }
    image = torch.tensor(list(colours.values()), dtype=torch.float32).T[:, :, None]
    found = dict(zip(colours, attenuation(image)[:, 0], strict=True))
    total = 0.959710 + 0.780245
    assert found["white"] == pytest.approx(1)
    assert found["grey"] == pytest.approx((0.5 * 0.959710 + 0.780245) / total)
    assert found["red"] == pytest.approx(0.959710 / total)
    assert found["dark red"] == pytest.approx(0.2 * 0.959710 / total, abs=1e-6)
    assert found["black"] == pytest.approx(0.780245 / total)


def test_depth_is_in_range_and_follows_edges(photographs):
    for image in photographs:
        found = depth(image, (0.5, 0.35, 0.15), 0.2, 3)
        assert (found.min() >= 0, found.max() <= 1) == (True, True)
    edge = torch.zeros(3, 64, 64)
    edge[:, :, 32:] = 0.8
    found = depth(edge, (0.0, 1.0, 0.0), 0.0, 0)
    row = found[32]
    assert row[33] - row[30] > 0.8 * (row[-1] - row[0])
    assert row[-1] > row[0] + 0.3


def test_the_guided_filter_is_that_of_he_et_al():
    """Window by window with mirrored borders: a = cov / (var + eps), b = mean - a mean, then both averaged."""
    rng, r, eps = np.random.default_rng(0), 2, 1e-3
    guide, source = rng.random((9, 8)), rng.random((9, 8))

    def windows(x):
        padded = np.pad(x, r, mode="reflect")
        return np.lib.stride_tricks.sliding_window_view(padded, (2 * r + 1, 2 * r + 1)).reshape(9, 8, -1)

    i, p = windows(guide), windows(source)
    a = ((i * p).mean(-1) - i.mean(-1) * p.mean(-1)) / (i.var(-1) + eps)
    b = p.mean(-1) - a * i.mean(-1)
    expected = windows(a).mean(-1) * guide + windows(b).mean(-1)
    np.testing.assert_allclose(guided(guide, source, r), expected, atol=1e-12)


def test_relief_is_smooth_and_the_seeds():
    hills = relief(120, 160, 5)
    assert (hills.min() >= 0, hills.max() <= 1) == (True, True)
    assert hills.std() > 0.05
    steps = np.abs(np.diff(hills, axis=1)).max()
    assert steps < 4 / 160 * 1.1  # a cubic B-spline of numbers in [0, 1] rises by at most 1 from cell to cell
    assert (hills == relief(120, 160, 5)).all()
    assert (hills != relief(120, 160, 6)).any()


def test_rain_under_a_veil_is_rain_where_it_is_clear_and_haze_where_it_is_dry(photographs):
    """I = t (J + S) + (1 - t) A (Li et al. 2019), with the depth of the picture without rain."""
    image = photographs[2]
    both = RainHaze(RainHazeOptions())
    recipe = both.draw(generator(4), (96, 128))
    rain, haze = Rain(RainHazeOptions().rain), Haze(RainHazeOptions().haze)
    t = haze.transmission(image, recipe["haze"])
    airlight = torch.tensor(recipe["haze"]["airlight"])[:, None, None]
    expected = t * rain.apply(image, recipe["rain"]) + (1 - t) * airlight
    torch.testing.assert_close(both.apply(image, recipe), expected, atol=1e-6, rtol=0)
    dry = RainHaze(RainHazeOptions(rain=RainOptions(density=0.0))).apply(image, recipe)
    torch.testing.assert_close(dry, haze.apply(image, recipe["haze"]), atol=2e-6, rtol=0)


def test_a_depth_of_nothing_is_refused():
    with pytest.raises(ValueError, match="ground, colour and relief are all 0"):
        HazeOptions(ground=0.0, colour=0.0, relief=0.0)
