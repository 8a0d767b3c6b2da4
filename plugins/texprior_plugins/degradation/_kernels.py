"""Draws and computes the blur kernels of Wang et al. (2021, Real-ESRGAN), sec. 3.

Each kernel has an odd size and the sum 1.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import j1

from texprior.flow.degrade import Recipe
from texprior_plugins.degradation._noise import pick, uniform

Kernel = NDArray[np.float64]

# The published probabilities and ranges. The six cases are three forms, each round (one sigma) or elongated (two).
_FORMS = ("gaussian", "gaussian", "generalized", "generalized", "plateau", "plateau")
_ROUND = (True, False, True, False, True, False)
_SHARES = (0.45, 0.25, 0.12, 0.03, 0.12, 0.03)
_BETAS = {"gaussian": (1.0, 1.0), "generalized": (0.5, 4.0), "plateau": (1.0, 2.0)}
_SIGMA_MIN = 0.2
_SINC = 0.1


def draw_kernel(sigma_max: float, rng: torch.Generator) -> Recipe:
    """Draws the kernel of one blur.

    With probability 0.1 it is a sinc filter, else a Gaussian, a generalised Gaussian or a plateau.
    """
    size = draw_size(rng)
    # As published: a kernel of less than 13 px has a higher smallest cutoff.
    if uniform(0, 1, rng) < _SINC:
        return draw_sinc(size, math.pi / 3 if size < 13 else math.pi / 5, rng)
    kind = pick(_SHARES, rng)
    form, is_round = _FORMS[kind], _ROUND[kind]
    # The second round halves sigma_max, which may bring it below the smallest sigma.
    across, along = (uniform(_SIGMA_MIN, max(sigma_max, _SIGMA_MIN), rng) for _ in range(2))
    low, high = _BETAS[form]
    beta = uniform(low, 1, rng) if uniform(0, 1, rng) < 0.5 else uniform(1, high, rng)
    sigmas = [across, across if is_round else along]
    return {"form": form, "size": size, "sigmas": sigmas, "angle": uniform(-math.pi, math.pi, rng), "beta": beta}


def draw_size(rng: torch.Generator) -> int:
    """Draws a kernel size, px: one of 7, 9, ... 21."""
    return 7 + 2 * int(torch.randint(8, (), generator=rng))


def draw_sinc(size: int, cutoff_min: float, rng: torch.Generator) -> Recipe:
    """Draws a sinc filter with a cutoff in [cutoff_min, pi], radians per px."""
    return {"form": "sinc", "size": size, "cutoff": uniform(cutoff_min, math.pi, rng)}


def kernel_of(recipe: Recipe) -> Kernel:
    """Computes the kernel of a recipe from ``draw_kernel`` or ``draw_sinc``, (size, size)."""
    if recipe["form"] == "sinc":
        return sinc(recipe["size"], recipe["cutoff"])
    return density(recipe["form"], recipe["size"], recipe["sigmas"], recipe["angle"], recipe["beta"])


def density(form: str, size: int, sigmas: tuple[float, float], angle: float, beta: float) -> Kernel:
    """Computes a Gaussian, generalised Gaussian or plateau kernel, (size, size).

    With q = x' Sigma^-1 x it is exp(-q^beta / 2) for a (generalised) Gaussian, and 1 / (1 + q^beta) for a plateau.
    ``sigmas`` are in px and ``angle`` is in radians.
    """
    y, x = np.mgrid[:size, :size] - size // 2
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    q = (along / sigmas[0]) ** 2 + (across / sigmas[1]) ** 2
    kernel: Kernel = 1 / (1 + q**beta) if form == "plateau" else np.exp(-(q**beta) / 2)
    return kernel / kernel.sum()


def sinc(size: int, cutoff: float) -> Kernel:
    """Computes the ideal circular low-pass filter, cut off at the kernel's size.

    The filter is w J1(w r) / (2 pi r) with the cutoff w.
    """
    y, x = np.mgrid[:size, :size] - size // 2
    r = np.hypot(x, y)
    # np.where also computes 0 / 0 at the centre, where the limit w² / (4 pi) is used instead.
    with np.errstate(invalid="ignore"):
        kernel: Kernel = np.where(r > 0, cutoff * j1(cutoff * r) / (2 * np.pi * r), cutoff**2 / (4 * np.pi))
    return kernel / kernel.sum()
