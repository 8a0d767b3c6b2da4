"""Raindrops on a pane of glass: each is a small lens that shows the scene upside down and very wide.

A drop is a cap of water (as in Roser et al., 2010, and Hao et al., 2019). Where its surface leans by phi, light leaves
it bent by delta = asin(n sin phi) - phi towards the axis (Snell's law; n = 1.333), less what the surface reflects
(Fresnel), so that steep rims are dark. The scene is far: a ray bent by delta comes from f tan(delta) px away in the
picture, f the focal length in px. The lens is focused on the scene, so that drops have the edges of a disc of
confusion. The composition I = (1 - M) B + R is that of Qian et al. (2018), here in linear light.
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
_SPREAD, _LARGEST = 0.5, 4.0
_TRIALS = 4

Array = NDArray[np.float64]


def deflection(sine: Array) -> Array:
    """By how much light is bent, in radians, where the surface leans by phi, sin(phi) given; at most 41.4 degrees."""
    bent: Array = np.arcsin(np.minimum(WATER * sine, 1)) - np.arcsin(np.minimum(sine, 1 / WATER))
    return bent


def transmitted(sine: Array) -> Array:
    """The part of unpolarised light that passes from water to air (Fresnel); 0 where it is reflected totally."""
    inner = np.sqrt(np.clip(1 - sine**2, 0, 1))
    outer = np.sqrt(np.clip(1 - (WATER * sine) ** 2, 0, 1))
    s = (WATER * inner - outer) / (WATER * inner + outer)
    p = (inner - WATER * outer) / (inner + WATER * outer)
    passed: Array = 1 - (s**2 + p**2) / 2
    return passed


class Raindrop(Replayable):
    """Drops of random sizes, shapes and places that do not touch."""

    def __init__(self, options: RaindropOptions) -> None:
        self.options = options

    def draw(self, rng: torch.Generator, size: tuple[int, int]) -> Recipe:
        """Each drop: centre x, y and radius in px, contact angle in degrees, and its outline (see ``outline``)."""
        options, (height, width) = self.options, size
        radii = [
            options.radius * math.exp(_SPREAD * normal(rng)) for _ in range(round(options.density * height * width))
        ]
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
        """The picture through the glass, (3, H, W) float32 in [0, 1]."""
        height, width = image_CHW.shape[-2:]
        light = to_light(image_CHW)
        mask, drops = np.zeros((height, width)), np.zeros((3, height, width))
        for drop in recipe["drops"]:
            self._place(light, drop, mask, drops)
        if self.options.blur > 0.5:
            psf = disc(self.options.blur)
            mask, *channels = (ndimage.correlate(x, psf, mode="nearest") for x in (mask, *drops))
            drops = np.stack(channels)
        seen = light.double() * torch.from_numpy(1 - mask) + torch.from_numpy(drops)
        return to_values(seen.float())

    def _place(self, light_CHW: Tensor, drop: Sequence[float], mask: Array, drops: Array) -> None:
        """Adds one drop: what it covers to ``mask``, (H, W), and the light that it shows to ``drops``, (3, H, W)."""
        (height, width), (x0, y0, radius, angle, *_) = mask.shape, drop
        reach = 2 * radius + 1
        top, bottom = max(0, int(y0 - reach)), min(height, int(y0 + reach) + 2)
        left, right = max(0, int(x0 - reach)), min(width, int(x0 + reach) + 2)
        y, x = np.mgrid[top:bottom, left:right] + 0.5
        distance, phi = np.hypot(x - x0, y - y0), np.arctan2(y - y0, x - x0)
        rim = outline(phi, drop)
        covered = np.clip(rim - distance + 0.5, 0, 1)
        sine = np.minimum(distance / rim, 1) * math.sin(math.radians(angle))
        focal = width / (2 * math.tan(math.radians(self.options.field_of_view) / 2))
        away = distance - focal * np.tan(deflection(sine))
        shown = _sampled(light_CHW, x0 + away * np.cos(phi), y0 + away * np.sin(phi), focal / radius)
        covered = covered * (1 - mask[top:bottom, left:right])
        mask[top:bottom, left:right] += covered
        drops[:, top:bottom, left:right] += covered * transmitted(sine) * shown


def outline(phi: Array, drop: Sequence[float]) -> Array:
    """Distance of a drop's rim from its centre in the direction phi, px.

    An ellipse that is longer by ``drop[4]`` downwards and upwards, with lobes of two and three periods.
    """
    radius, longer, a2, psi2, a3, psi3 = drop[2], *drop[4:]
    ellipse = radius / np.sqrt(np.cos(phi) ** 2 + (np.sin(phi) / longer) ** 2)
    rim: Array = ellipse * (1 + a2 * np.cos(2 * phi + psi2) / 2 + a3 * np.cos(3 * phi + psi3) / 2)
    return rim


def _sampled(light_CHW: Tensor, x: Array, y: Array, shrink: float) -> Array:
    """The picture at (x, y) px, (3, h, w), bilinear, first averaged over cells of about ``shrink`` / 4 px.

    Beyond its border it goes on as at the border.
    """
    height, width = light_CHW.shape[-2:]
    cell = max(1, min(int(shrink / 4), height // 4, width // 4))
    small = functional.avg_pool2d(light_CHW[None], cell, ceil_mode=True, count_include_pad=False)[0].double().numpy()
    at = np.stack([y / cell - 0.5, x / cell - 0.5])
    return np.stack([ndimage.map_coordinates(channel, at, order=1, mode="nearest") for channel in small])
