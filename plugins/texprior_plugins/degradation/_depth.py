"""A plausible depth of a photograph without a network: 0 is near, 1 is far.

Three cues are added with weights of the user's: the ground plane (what stands higher in a picture is farther, up to a
horizon), the colour attenuation prior of Zhu et al. (2015) with its learned coefficients (what is bright and
pale is farther), and smooth random relief. A guided filter (He et al., 2010) then fits the sum to the picture's edges.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from texprior.flow.degrade import seeded

_VALUE, _SATURATION = 0.959710, -0.780245
_EPS = 1e-3

Map = NDArray[np.float64]


def ground(height: int, width: int, horizon: float) -> Map:
    """Depth of a ground plane below ``horizon`` (0 top of the picture, 1 bottom), 1 above it, 0 at the bottom."""
    y = (np.arange(height) + 0.5) / height
    rows = np.clip((1 - y) / max(1 - horizon, 1e-6), 0, 1)
    return np.repeat(rows[:, None], width, 1)


def attenuation(image_CHW: Tensor) -> Map:
    """The colour attenuation prior without its constant, scaled to [0, 1]: value and saturation, each in [0, 1]."""
    value = image_CHW.amax(0).double().numpy()
    least = image_CHW.amin(0).double().numpy()
    saturation = np.where(value > 0, 1 - least / np.maximum(value, 1e-9), 0)
    cue: Map = (_VALUE * value + _SATURATION * saturation - _SATURATION) / (_VALUE - _SATURATION)
    return cue


def relief(height: int, width: int, seed: int, cells: int = 4) -> Map:
    """Smooth noise in [0, 1]: uniform numbers on a grid of about ``cells`` cells a side, joined by cubic splines."""
    grid = torch.rand(cells + 3, cells + 3, generator=seeded(seed), dtype=torch.float64).numpy()
    rows, columns = (1 + cells * (np.arange(n) + 0.5) / n for n in (height, width))
    at = np.stack(np.meshgrid(rows, columns, indexing="ij"))
    smooth: Map = ndimage.map_coordinates(grid, at, order=3, mode="mirror", prefilter=False)
    return smooth.clip(0, 1)


def guided(guide: Map, source: Map, radius: int) -> Map:
    """He et al.'s guided filter with mirrored borders."""
    side = 2 * radius + 1

    def mean(x: Map) -> Map:
        smooth: Map = ndimage.uniform_filter(x, side, mode="mirror")
        return smooth

    mean_guide, mean_source = mean(guide), mean(source)
    slope = (mean(guide * source) - mean_guide * mean_source) / (mean(guide * guide) - mean_guide**2 + _EPS)
    return mean(slope) * guide + mean(mean_source - slope * mean_guide)


def depth(image_CHW: Tensor, weights: tuple[float, float, float], horizon: float, seed: int) -> Map:
    """Depth in [0, 1], (H, W), from ground, colour and relief in the given proportions (one at least above 0)."""
    height, width = image_CHW.shape[-2:]
    of_ground, of_colour, of_relief = (w / sum(weights) for w in weights)
    cues = of_ground * ground(height, width, horizon) + of_relief * relief(height, width, seed)
    if of_colour:
        luma = image_CHW.double().mean(0).numpy()
        radius = max(1, min(height, width) // 16)
        cues = guided(luma, cues + of_colour * attenuation(image_CHW), radius)
    return cues.clip(0, 1)
