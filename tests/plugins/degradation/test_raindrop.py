"""Raindrops bend light by Snell's law: they turn the scene around, and their rims are dark."""

import numpy as np
import pytest
import torch
from scipy import ndimage

from texprior.diffusion.keys import generator
from texprior_plugins.degradation import RaindropOptions, raindrop
from texprior_plugins.degradation._light import to_light, to_values
from texprior_plugins.degradation.raindrop import WATER, Raindrop, deflection, outline, transmitted

NORMAL = 1 - ((WATER - 1) / (WATER + 1)) ** 2
"""What a surface lets through at normal incidence."""


def drop(x=80.0, y=60.0, radius=20.0, angle=30.0):
    return {"drops": [[x, y, radius, angle, 1.0, 0.0, 0.0, 0.0, 0.0]]}


def test_light_is_bent_by_snells_law():
    phi = np.deg2rad([0.0, 0.1, 20.0, 45.0])
    outside = phi + deflection(np.sin(phi))
    np.testing.assert_allclose(np.sin(outside), WATER * np.sin(phi), atol=1e-12)
    assert deflection(np.sin(phi))[1] == pytest.approx((WATER - 1) * phi[1], rel=1e-4)  # a thin lens: (n - 1) phi
    critical = np.arcsin(1 / WATER)
    assert np.rad2deg(deflection(np.sin([critical, 1.3]))) == pytest.approx(90 - np.rad2deg(critical))


def test_steep_surfaces_let_less_light_through():
    """Fresnel: 0.980 at normal incidence; all p-polarised light at Brewster's angle; none beyond the critical one."""
    assert transmitted(np.array(0.0)) == pytest.approx(NORMAL)
    brewster = np.arctan(1 / WATER)
    inner, outer = brewster, np.pi / 2 - brewster
    s_reflected = (np.sin(inner - outer) / np.sin(inner + outer)) ** 2
    assert transmitted(np.sin(brewster)) == pytest.approx(1 - s_reflected / 2)
    assert transmitted(np.array([1 / WATER, 0.9])).tolist() == pytest.approx([0, 0], abs=1e-6)


def test_a_ramp_is_reversed_inside_a_drop():
    """x seen at distance rho from the axis is rho - f tan(delta(rho)), about rho (1 - f (n - 1) sin(tau) / r)."""
    width, radius, tau = 160, 20.0, 30.0
    ramp = torch.linspace(0.1, 0.9, width).expand(3, 120, width)
    glass = Raindrop(RaindropOptions(blur=0.0, field_of_view=10.0))
    seen = to_light(glass.apply(to_values(ramp), drop(radius=radius, angle=tau)))[0, 59].double().numpy()
    focal = width / (2 * np.tan(np.deg2rad(5)))
    magnification = 1 - focal * (WATER - 1) * np.sin(np.deg2rad(tau)) / radius
    assert magnification < -6
    slope = 0.8 / (width - 1)
    near = slice(78, 82)  # around the axis, between pixels 79 and 80
    assert np.diff(seen[near]) == pytest.approx(NORMAL * slope * magnification, rel=0.06)
    assert (np.diff(seen[72:88]) < 0).all()
    assert (np.diff(seen[:58]) > 0).all()


def test_the_sky_is_seen_at_the_bottom_of_a_drop():
    scene = torch.zeros(3, 120, 160)
    scene[:, :60] = 1
    seen = Raindrop(RaindropOptions(blur=0.0)).apply(scene, drop())[0]
    assert seen[45, 80] < 0.05
    assert seen[75, 80] > 0.9
    scene = scene.flip(1)
    seen = Raindrop(RaindropOptions(blur=0.0)).apply(scene, drop())[0]
    assert seen[45, 80] > 0.9


def test_a_drop_shows_a_wide_angle():
    """A stripe of the scene that is twenty times as wide as it appears in the drop."""
    scene = torch.zeros(3, 400, 400)
    scene[:, 150:250] = 1
    seen = Raindrop(RaindropOptions(blur=0.0)).apply(scene, drop(x=200.0, y=320.0, radius=20.0, angle=45.0))[0]
    shown = (seen[300:340, 200] > 0.5).sum()
    assert 2 <= shown <= 10


def test_nothing_changes_beside_the_drops(photographs):
    glass = Raindrop(RaindropOptions(blur=2.0, density=0.002))
    recipe = glass.draw(generator(3), (96, 128))
    seen = glass.apply(photographs[0], recipe)
    y, x = np.mgrid[:96, :128] + 0.5
    beside = np.ones((96, 128), bool)
    for x0, y0, radius, *_ in recipe["drops"]:
        beside &= np.hypot(x - x0, y - y0) > 2 * radius + 4
    assert beside.any()
    assert len(recipe["drops"]) > 5
    assert (seen - photographs[0]).abs().amax(0)[torch.from_numpy(beside)].max() < 2e-6


def test_edges_are_blurred_by_the_lens():
    """A drop whose surface reflects everything at its rim, in front of white: M is a disc blurred by a disc."""
    sharp, soft = (
        Raindrop(RaindropOptions(blur=blur)).apply(torch.ones(3, 120, 160), drop(angle=80.0))[0] for blur in (0.0, 4.0)
    )
    width = [((row > 0.05) & (row < 0.95)).sum() for row in (sharp[60, 80:], soft[60, 80:])]
    assert width[1] >= width[0] + 4


def test_drops_do_not_touch_and_have_their_sizes():
    options = RaindropOptions(density=0.001, radius=5.0)
    recipe = Raindrop(options).draw(generator(0), (300, 400))
    x, y, radius, angle = np.array([d[:4] for d in recipe["drops"]]).T
    distances = np.hypot(x[:, None] - x, y[:, None] - y) + np.eye(len(x)) * 1e9
    assert (distances > 1.1 * (radius[:, None] + radius)).all()
    assert 90 <= len(x) <= 120  # of round(0.001 * 120,000); a few find no room
    assert np.median(radius) == pytest.approx(5.0, rel=0.16)  # 3 standard errors of a median, log-normal of 0.5
    assert radius.max() <= 20
    assert (angle.min() >= 35, angle.max() <= 60) == (True, True)


def test_an_outline_without_lobes_is_an_ellipse():
    phi = np.array([0.0, np.pi / 2, np.pi, np.pi / 4])
    ellipse = [0.0, 0.0, 10.0, 45.0, 1.2, 0.0, 0.0, 0.0, 0.0]
    at = 1 / np.sqrt(0.5 / 10**2 + 0.5 / 12**2)
    assert outline(phi, ellipse) == pytest.approx([10, 12, 10, at])


def test_drops_in_groups_are_drops_one_by_one(monkeypatch):
    """Drops that overlap share their pixels in the order of the recipe, however many are computed at once."""
    wet = Raindrop(RaindropOptions(density=0.004, radius=5.0))
    image = torch.rand(3, 70, 90, generator=generator(3))
    recipe = wet.draw(generator(0), (70, 90))
    recipe["drops"] += [[d[0] + d[2], *d[1:]] for d in recipe["drops"][:6]]
    together = wet.apply(image, recipe)
    monkeypatch.setattr(raindrop, "_TOGETHER", 1)
    assert torch.equal(together, wet.apply(image, recipe))
    assert not torch.equal(together, wet.apply(image, {"drops": recipe["drops"][:-1]}))


def test_the_scene_in_a_drop_is_scipys_bilinear_sample():
    light = torch.rand(3, 41, 53, generator=generator(4))
    x, y = np.random.default_rng(0).uniform(-9, 62, (2, 40))
    cells = np.repeat([1, 3], 20)
    seen = raindrop._sampled(light, x, y, cells)
    for cell in (1, 3):
        small = torch.nn.functional.avg_pool2d(light[None], cell, ceil_mode=True, count_include_pad=False)[0].double()
        at = np.stack([y, x])[:, cells == cell] / cell - 0.5
        expected = [ndimage.map_coordinates(channel, at, order=1, mode="nearest") for channel in small.numpy()]
        np.testing.assert_allclose(seen[:, cells == cell], expected, atol=1e-12)
