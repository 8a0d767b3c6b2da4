"""Adds raindrops on a glass pane.

They are small lenses that show the scene upside down and wide-angled.

A drop is a cap of water (as in Roser et al., 2010, and Hao et al., 2019). At a point with the surface slope phi, light
is bent by delta = asin(n sin phi) - phi towards the axis (Snell's law; n = 1.333). The surface reflects a part of it
(Fresnel), so that steep rims are dark. The scene is far away: a ray bent by delta comes from a point f tan(delta) px
away in the picture; f is the focal length in px. The camera is focused on the scene, so the edges of drops are blurred
by a disc of confusion. The composition I = (1 - M) B + R is that of Qian et al. (2018), here in linear light.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
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

_TOGETHER = 2**18
"""Pixels around drops that are computed at once: few passes over many drops, in some tens of megabytes."""

Array = NDArray[np.float64]
Places = NDArray[np.int64]
Drops = Sequence[Sequence[float]]


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
        placed = np.empty((len(radii), 3))
        for radius in sorted((min(r, _LARGEST * options.radius) for r in radii), reverse=True):
            for _ in range(_TRIALS):
                x, y = uniform(0, width, rng), uniform(0, height, rng)
                others = placed[: len(drops)]
                if (np.hypot(others[:, 0] - x, others[:, 1] - y) > 1.1 * (others[:, 2] + radius)).all():
                    angle = uniform(options.contact_min, options.contact_max, rng)
                    lobes = [n for k in (2, 3) for n in (uniform(0, 0.3 / k, rng), uniform(0, 2 * math.pi, rng))]
                    placed[len(drops)] = x, y, radius
                    drops.append([x, y, radius, angle, uniform(1.0, 1.25, rng), *lobes])
                    break
        return {"drops": drops}

    def apply(self, image_CHW: Tensor, recipe: Recipe) -> Tensor:
        """Returns the picture through the glass, (3, H, W) float32 in [0, 1]."""
        height, width = image_CHW.shape[-2:]
        light = to_light(image_CHW)
        mask, drops = np.zeros((height, width)), np.zeros((3, height, width))
        for group in _groups(recipe["drops"]):
            self._place(light, group, mask, drops)
        # A disc of 1/2 px or less is one pixel, which blurs nothing.
        if self.options.blur > 0.5:
            psf = disc(self.options.blur)
            mask, *channels = (cv2.filter2D(x, -1, psf, borderType=cv2.BORDER_REPLICATE) for x in (mask, *drops))
            drops = np.stack(channels)
        seen = light.double() * torch.from_numpy(1 - mask) + torch.from_numpy(drops)
        return to_values(seen.float())

    def _place(self, light_CHW: Tensor, group: Drops, mask: Array, drops: Array) -> None:
        """Adds some drops in place.

        It adds their cover to ``mask``, (H, W), and their light to ``drops``, (3, H, W).
        """
        parameters, width = np.array(group).T, mask.shape[1]
        which, y, x = _around(parameters, mask.shape)
        of_each = parameters[:, which]
        down, right = y + 0.5 - of_each[1], x + 0.5 - of_each[0]
        distance, phi = np.hypot(right, down), np.arctan2(down, right)
        rim = outline(phi, of_each)
        covered = np.clip(rim - distance + 0.5, 0, 1)
        # The window around a drop is much larger than the drop; only the pixels that it covers go on.
        wet = covered > 0
        which, pixels, covered, distance = which[wet], (y * width + x)[wet], covered[wet], distance[wet]
        phi, rim, (x0, y0, radius, angle) = phi[wet], rim[wet], of_each[:4, wet]

        # The sine of the slope grows linearly, up to the contact angle at the rim, as on the cap of a sphere.
        sine = np.minimum(distance / rim, 1) * np.sin(np.radians(angle))
        focal = width / (2 * math.tan(math.radians(self.options.field_of_view) / 2))
        away = distance - focal * np.tan(deflection(sine))
        cells = _cells(focal / radius, light_CHW)
        shown = transmitted(sine) * _sampled(light_CHW, x0 + away * np.cos(phi), y0 + away * np.sin(phi), cells)

        # A drop gets only what earlier drops left free, so that the mask stays in [0, 1].
        ends = np.searchsorted(which, np.arange(len(group) + 1))
        flat_mask, flat_drops = mask.reshape(-1), drops.reshape(3, -1)
        for start, end in itertools.pairwise(ends):
            here = pixels[start:end]
            free = covered[start:end] * (1 - flat_mask[here])
            flat_mask[here] += free
            flat_drops[:, here] += free * shown[:, start:end]


def _groups(drops: Drops) -> Iterator[Drops]:
    """Yields drops in their order, as many at once as ``_TOGETHER`` pixels are around."""
    group: list[Sequence[float]] = []
    pixels = 0.0
    for drop in drops:
        pixels += (4 * drop[2] + 4) ** 2
        if group and pixels > _TOGETHER:
            yield group
            group, pixels = [], (4 * drop[2] + 4) ** 2
        group.append(drop)
    if group:
        yield group


def _around(parameters: Array, size: tuple[int, ...]) -> tuple[Places, Places, Places]:
    """Returns the pixels of the windows around drops, one after the other: index of the drop, y and x."""
    # The largest distance of an outline is that of its ellipse and both lobes together (see ``outline``).
    (height, width), (x0, y0, radius, _, longer, a2, _, a3, _) = size, parameters
    reach = radius * longer * (1 + (a2 + a3) / 2) + 1
    top, left = (np.maximum(0, (centre - reach).astype(int)) for centre in (y0, x0))
    tall = np.maximum(np.minimum(height, (y0 + reach).astype(int) + 2) - top, 0)
    wide = np.maximum(np.minimum(width, (x0 + reach).astype(int) + 2) - left, 0)
    which = np.repeat(np.arange(len(top)), tall * wide)
    in_window = np.arange(len(which)) - np.repeat(np.cumsum(tall * wide) - tall * wide, tall * wide)
    return which, top[which] + in_window // wide[which], left[which] + in_window % wide[which]


def outline(phi: Array, drop: Sequence[float] | Array) -> Array:
    """Returns the distance of a drop's rim from its centre in the direction phi, px.

    The rim is an ellipse, taller by the factor ``drop[4]``, with lobes of two and three periods.
    """
    radius, longer, a2, psi2, a3, psi3 = drop[2], *drop[4:]
    ellipse = radius / np.sqrt(np.cos(phi) ** 2 + (np.sin(phi) / longer) ** 2)
    rim: Array = ellipse * (1 + a2 * np.cos(2 * phi + psi2) / 2 + a3 * np.cos(3 * phi + psi3) / 2)
    return rim


def _cells(shrink: Array, light_CHW: Tensor) -> Places:
    """Returns the side of the cells, px, over which the scene is averaged before a drop shows it."""
    # A drop shows the scene about ``shrink`` times smaller; without the averaging it would alias.
    height, width = light_CHW.shape[-2:]
    cells: Places = np.maximum(1, np.minimum((shrink / 4).astype(int), min(height // 4, width // 4)))
    return cells


def _sampled(light_CHW: Tensor, x: Array, y: Array, cells: Places) -> Array:
    """Samples the picture at (x, y) px, (3, n), bilinearly, after the average over cells of each point's own side.

    Outside the picture the border's values are used.
    """
    seen = np.empty((len(light_CHW), len(x)))
    for cell in np.unique(cells):
        side, here = int(cell), cells == cell
        small = functional.avg_pool2d(light_CHW[None], side, ceil_mode=True, count_include_pad=False).double()
        # grid_sample counts from -1 to 1, from border to border.
        at = [2 * torch.from_numpy(p[here] / side) / n - 1 for p, n in ((x, small.shape[-1]), (y, small.shape[-2]))]
        grid = torch.stack(at, -1)[None, None]
        points = functional.grid_sample(small, grid, padding_mode="border", align_corners=False)
        seen[:, here] = points[0, :, 0].numpy()
    return seen
