"""Adds raindrops on a glass pane.

They are small lenses that show the scene upside down and wide-angled.

A drop is a cap of water (as in Roser et al., 2010, and Hao et al., 2019). At a point with the surface slope phi, light
is bent by delta = asin(n sin phi) - phi towards the axis (Snell's law; n = 1.333). The surface reflects a part of it
(Fresnel), so that steep rims are dark. The scene is far away: a ray bent by delta comes from a point f tan(delta) px
away in the picture; f is the focal length in px. The camera is focused on the scene, so the edges of drops are blurred
by a disc of confusion. The composition I = (1 - M) B + R is that of Qian et al. (2018), here in linear light.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from texprior.flow.degrade import Recipe, Replayable
from texprior_plugins.degradation import RaindropOptions
from texprior_plugins.degradation._light import to_light, to_values
from texprior_plugins.degradation._noise import normal, uniform
from texprior_plugins.degradation.defocus import disc

WATER = 1.333
"""Index of refraction."""
# Radii are log-normal with this standard deviation of the logarithm, and at most ``_LARGEST`` times the median, so
# that one rare value cannot cover the picture.
_SPREAD, _LARGEST = 0.5, 4.0
# Places that are tried for a drop before it is left out: more trials fill dense pictures better, but take longer.
_TRIALS = 4

Array = NDArray[np.float64]


def deflection(sine: Array) -> Array:
    """Returns the angle by which light is bent, radians.

    ``sine`` is the sine of the surface slope phi. The angle is at most 41.4 degrees, the value at total reflection.
    """
    # Beyond the angle of total reflection no light passes; the clamps keep asin in its domain there.
    bent: Array = np.arcsin(np.minimum(WATER * sine, 1)) - np.arcsin(np.minimum(sine, 1 / WATER))
    return bent


def transmitted(sine: Array) -> Array:
    """Returns the share of unpolarised light that passes from water to air.

    It follows from Fresnel's equations, and is 0 at total reflection.
    """
    inner = np.sqrt(np.clip(1 - sine**2, 0, 1))
    outer = np.sqrt(np.clip(1 - (WATER * sine) ** 2, 0, 1))
    s = (WATER * inner - outer) / (WATER * inner + outer)
    p = (inner - WATER * outer) / (inner + WATER * outer)
    passed: Array = 1 - (s**2 + p**2) / 2
    return passed


class Raindrop(Replayable):
    """Drops of random sizes, shapes and places; their circles do not touch."""

    def __init__(self, options: RaindropOptions) -> None:
        self.options = options

    def draw(self, rng: torch.Generator, size: tuple[int, int]) -> Recipe:
        """Draws the list of drops.

        A drop is its centre x, y and radius in px, contact angle in degrees, and outline (see ``outline``).
        """
        options, (height, width) = self.options, size
        radii = [
            options.radius * math.exp(_SPREAD * normal(rng)) for _ in range(round(options.density * height * width))
        ]

        # Large drops come first: they need the most room, and small ones still fit between them.
        drops: list[list[float]] = []
        for radius in sorted((min(r, _LARGEST * options.radius) for r in radii), reverse=True):
            for _ in range(_TRIALS):
                x, y = uniform(0, width, rng), uniform(0, height, rng)
                placed = np.array([d[:3] for d in drops] or [(-1e9, 0, 0)])
                if (np.hypot(placed[:, 0] - x, placed[:, 1] - y) > 1.1 * (placed[:, 2] + radius)).all():
                    angle = uniform(options.contact_min, options.contact_max, rng)
                    lobes = [n for k in (2, 3) for n in (uniform(0, 0.3 / k, rng), uniform(0, 2 * math.pi, rng))]
                    drops.append([x, y, radius, angle, uniform(1.0, 1.25, rng), *lobes])
                    break
        return {"drops": drops}

    def apply(self, image_CHW: Tensor, recipe: Recipe) -> Tensor:
        """Returns the picture through the glass, (3, H, W) float32 in [0, 1]."""
        height, width = image_CHW.shape[-2:]
        light = to_light(image_CHW)
        mask, drops = np.zeros((height, width)), np.zeros((3, height, width))
        for drop in recipe["drops"]:
            self._place(light, drop, mask, drops)
        # A disc of 1/2 px or less is one pixel, which blurs nothing.
        if self.options.blur > 0.5:
            psf = disc(self.options.blur)
            mask, *channels = (ndimage.correlate(x, psf, mode="nearest") for x in (mask, *drops))
            drops = np.stack(channels)
        seen = light.double() * torch.from_numpy(1 - mask) + torch.from_numpy(drops)
        return to_values(seen.float())

    def _place(self, light_CHW: Tensor, drop: Sequence[float], mask: Array, drops: Array) -> None:
        """Adds one drop in place.

        It adds the drop's cover to ``mask``, (H, W), and its light to ``drops``, (3, H, W).
        """
        # Only the window around the drop is computed. An outline stays within 2 radii (see ``outline``).
        (height, width), (x0, y0, radius, angle, *_) = mask.shape, drop
        reach = 2 * radius + 1
        top, bottom = max(0, int(y0 - reach)), min(height, int(y0 + reach) + 2)
        left, right = max(0, int(x0 - reach)), min(width, int(x0 + reach) + 2)
        y, x = np.mgrid[top:bottom, left:right] + 0.5
        distance, phi = np.hypot(x - x0, y - y0), np.arctan2(y - y0, x - x0)
        rim = outline(phi, drop)
        covered = np.clip(rim - distance + 0.5, 0, 1)

        # The sine of the slope grows linearly, up to the contact angle at the rim, as on the cap of a sphere.
        sine = np.minimum(distance / rim, 1) * math.sin(math.radians(angle))
        focal = width / (2 * math.tan(math.radians(self.options.field_of_view) / 2))
        away = distance - focal * np.tan(deflection(sine))
        shown = _sampled(light_CHW, x0 + away * np.cos(phi), y0 + away * np.sin(phi), focal / radius)

        # A drop gets only what earlier drops left free, so that the mask stays in [0, 1].
        covered = covered * (1 - mask[top:bottom, left:right])
        mask[top:bottom, left:right] += covered
        drops[:, top:bottom, left:right] += covered * transmitted(sine) * shown


def outline(phi: Array, drop: Sequence[float]) -> Array:
    """Returns the distance of a drop's rim from its centre in the direction phi, px.

    The rim is an ellipse, taller by the factor ``drop[4]``, with lobes of two and three periods.
    """
    radius, longer, a2, psi2, a3, psi3 = drop[2], *drop[4:]
    ellipse = radius / np.sqrt(np.cos(phi) ** 2 + (np.sin(phi) / longer) ** 2)
    rim: Array = ellipse * (1 + a2 * np.cos(2 * phi + psi2) / 2 + a3 * np.cos(3 * phi + psi3) / 2)
    return rim


def _sampled(light_CHW: Tensor, x: Array, y: Array, shrink: float) -> Array:
    """Samples the picture at (x, y) px, (3, h, w), bilinearly.

    It is first averaged over cells of about ``shrink`` / 4 px. Outside the picture the border's values are used.
    """
    height, width = light_CHW.shape[-2:]
    # A drop shows the scene about ``shrink`` times smaller; without the averaging it would alias.
    cell = max(1, min(int(shrink / 4), height // 4, width // 4))
    small = functional.avg_pool2d(light_CHW[None], cell, ceil_mode=True, count_include_pad=False)[0].double().numpy()
    at = np.stack([y / cell - 0.5, x / cell - 0.5])
    return np.stack([ndimage.map_coordinates(channel, at, order=1, mode="nearest") for channel in small])
