"""Estimates a plausible depth of a photograph without a network.

A depth of 0 is near, and 1 is far.

The user weights three cues, and the code adds them:

- the ground plane: pixels higher up in the picture are farther away, up to a horizon;
- the colour attenuation prior of Zhu et al. (2015) with its learned coefficients: bright and pale pixels are farther;
- smooth random relief.

A guided filter (He et al., 2010) then fits the sum to the picture's edges.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from texprior.flow.degrade import seeded

# The coefficients that Zhu et al. learned for value and saturation. Their constant cancels in the scaling to [0, 1].
_VALUE, _SATURATION = 0.959710, -0.780245
# Variance, for values in [0, 1], below which the guided filter smooths; above it, it follows an edge.
_EPS = 1e-3

Map = NDArray[np.float64]


def ground(height: int, width: int, horizon: float) -> Map:
    """Returns the depth of a ground plane, (height, width).

    It falls from 1 at ``horizon`` (0 is the top of the picture, 1 the bottom) to 0 at the bottom. Above it is 1.
    """
    y = (np.arange(height) + 0.5) / height
    # The epsilon avoids a division by 0 if the horizon is at the bottom.
    rows = np.clip((1 - y) / max(1 - horizon, 1e-6), 0, 1)
    return np.repeat(rows[:, None], width, 1)


def attenuation(image_CHW: Tensor) -> Map:
    """Returns the depth cue of the colour attenuation prior, (H, W).

    The prior is linear in value and saturation, each in [0, 1]. It is used without its constant, scaled to [0, 1].
    """
    value = image_CHW.amax(0).double().numpy()
    least = image_CHW.amin(0).double().numpy()
    # np.where computes both branches: the epsilon keeps black pixels from dividing by 0.
    saturation = np.where(value > 0, 1 - least / np.maximum(value, 1e-9), 0)
    cue: Map = (_VALUE * value + _SATURATION * saturation - _SATURATION) / (_VALUE - _SATURATION)
    return cue


def relief(height: int, width: int, seed: int, cells: int = 4) -> Map:
    """Returns smooth noise in [0, 1], (height, width).

    Uniform numbers on a grid of about ``cells`` cells a side are joined by cubic splines.
    """
    # A cubic B-spline reads four grid points a side, so the grid has one point more on each side of the cells.
    grid = torch.rand(cells + 3, cells + 3, generator=seeded(seed), dtype=torch.float64).numpy()
    rows, columns = (1 + cells * (np.arange(n) + 0.5) / n for n in (height, width))
    at = np.stack(np.meshgrid(rows, columns, indexing="ij"))
    # Without the prefilter the spline is a weighted mean of grid points. It stays in [0, 1] and does not overshoot.
    smooth: Map = ndimage.map_coordinates(grid, at, order=3, mode="mirror", prefilter=False)
    return smooth.clip(0, 1)


def guided(guide: Map, source: Map, radius: int) -> Map:
    """Applies the guided filter of He et al. to ``source``, with mirrored borders.

    All maps are (H, W).
    """
    side = 2 * radius + 1

    def mean(x: Map) -> Map:
        smooth: Map = ndimage.uniform_filter(x, side, mode="mirror")
        return smooth

    mean_guide, mean_source = mean(guide), mean(source)
    slope = (mean(guide * source) - mean_guide * mean_source) / (mean(guide * guide) - mean_guide**2 + _EPS)
    return mean(slope) * guide + mean(mean_source - slope * mean_guide)


def depth(image_CHW: Tensor, weights: tuple[float, float, float], horizon: float, seed: int) -> Map:
    """Returns a plausible depth of a picture in [0, 1], (H, W).

    ``weights`` are the proportions of ground, colour and relief; at least one must be above 0.
    """
    height, width = image_CHW.shape[-2:]
    of_ground, of_colour, of_relief = (w / sum(weights) for w in weights)
    cues = of_ground * ground(height, width, horizon) + of_relief * relief(height, width, seed)
    # Only the colour cue brings in the picture's fine detail, which must then be fitted to the edges.
    if of_colour:
        luma = image_CHW.double().mean(0).numpy()
        radius = max(1, min(height, width) // 16)
        cues = guided(luma, cues + of_colour * attenuation(image_CHW), radius)
    return cues.clip(0, 1)
