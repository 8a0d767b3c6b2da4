"""Smooths by relative total variation (Xu, Yan, Xia, Jia, SIGGRAPH Asia 2012).

The problem is min over S of ‖S - I‖² + lambda sum over pixels and axes of D / (L + eps), with D = G * |dS| and
L = |G * dS|. In texture, gradients cancel, so that L is small and D is not. With u = G * 1 / (L + eps) the penalty is
sum u |dS|: a weighted total variation whose weights come from the last iterate.

|dS| is smoothed below ``sharpness`` and replaced by its quadratic majoriser at the last iterate. So each iteration
solves (1 + lambda/2 L_w) S = I with w = u / max(|dS|, sharpness). It cannot raise the energy of its weights u.

|.| is the root mean square over channels. So all channels share their weights, and a grey picture has the structure of
its one channel. The scale sigma of G is halved after each iteration, to no less than .5, as in the authors' program.
"""

from __future__ import annotations

import torch
from torch import Tensor

from texprior.flow.decompose import StructureFilter
from texprior_plugins.decomposition import RelativeTotalVariationOptions
from texprior_plugins.decomposition._blur import blurred
from texprior_plugins.decomposition._gradient import gradient
from texprior_plugins.decomposition._planes import one_by_one
from texprior_plugins.decomposition._precision import working
from texprior_plugins.decomposition._screened import solve

EPS = 1e-3
"""eps of D / (L + eps), the authors' value for pictures in [0, 1]."""
LEAST_SIGMA = 0.5
"""Smallest scale of G, px, as in the authors' program."""


class RelativeTotalVariation(StructureFilter):
    """Computes weights and structure in turn, a fixed number of times."""

    def __init__(self, options: RelativeTotalVariationOptions) -> None:
        self.options = options

    def structure(self, image_BCHW: Tensor) -> Tensor:
        """Returns the smoothed picture, (B, C, H, W), within the range of the picture."""
        return one_by_one(self._solved, working(image_BCHW)).to(image_BCHW.dtype)

    def _solved(self, image: Tensor) -> Tensor:
        options = self.options
        S, sigma = image, options.sigma
        for _ in range(options.iterations):
            x, y = (options.lam / 2 * w for w in quadratic_weights(S, sigma, options.sharpness))
            S = solve(image, x[..., :-1], y[..., :-1, :])
            sigma = max(sigma / 2, LEAST_SIGMA)
        return S


def variation_weights(S: Tensor, sigma: float) -> tuple[Tensor, Tensor]:
    """Returns u of both axes, (B, 1, H, W).

    It is large at places where gradients cancel within the window.
    """
    x, y = (blurred(1 / (_over_channels(blurred(d, sigma)) + EPS), sigma) for d in gradient(S))
    return x, y


def quadratic_weights(S: Tensor, sigma: float, sharpness: float) -> tuple[Tensor, Tensor]:
    """Returns u / max(|dS|, sharpness) of both axes, (B, 1, H, W)."""
    steps = (_over_channels(d).clamp_min(sharpness) for d in gradient(S))
    x, y = (u / step for u, step in zip(variation_weights(S, sigma), steps, strict=True))
    return x, y


def energy(S: Tensor, image: Tensor, u: tuple[Tensor, Tensor], lam: float, sharpness: float) -> Tensor:
    """Returns the energy of each picture of the batch, (B,).

    It is the mean over channels of ‖S - I‖² + lambda sum u |dS|. Below s = ``sharpness``, |t| is smoothed to
    t² / 2s + s / 2.
    """
    steps = (_over_channels(d) for d in gradient(S))
    smooth = (torch.where(t > sharpness, t, t.square() / (2 * sharpness) + sharpness / 2) for t in steps)
    variation = sum((w * t).sum((1, 2, 3)) for w, t in zip(u, smooth, strict=True))
    return (S - image).square().mean(1).sum((1, 2)) + lam * variation


def _over_channels(image: Tensor) -> Tensor:
    return image.square().mean(1, keepdim=True).sqrt()
