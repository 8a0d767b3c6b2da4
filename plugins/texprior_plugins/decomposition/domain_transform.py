"""Smooths with the domain transform's recursive filter (Gastal, Oliveira, SIGGRAPH 2011).

Along a row, the distance of neighbours is d = 1 + sigma_space / sigma_range sum over channels of |dI| (equation 11).
The recursion J(n) = (1 - a^d) I(n) + a^d J(n - 1) (equation 21) runs forwards and then backwards, first along rows and
then along columns. Iteration i of N has a = exp(-sqrt(2) / sigma_i), with
sigma_i = sigma_space sqrt(3) 2^(N - i) / sqrt(4^N - 1) (equation 14).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from texprior.flow.decompose import StructureFilter
from texprior_plugins.decomposition import DomainTransformOptions
from texprior_plugins.decomposition._precision import working


class DomainTransform(StructureFilter):
    """Smooths in a few pairs of passes along rows and columns.

    Each pass is a scan of logarithmic depth.
    """

    def __init__(self, options: DomainTransformOptions) -> None:
        self.options = options

    def structure(self, image_BCHW: Tensor) -> Tensor:
        """Returns the smoothed picture, (B, C, H, W), within the range of the picture."""
        image, count = working(image_BCHW), self.options.iterations
        x, y = distances(image, self.options.sigma_space / self.options.sigma_range)
        S = image
        for i in range(1, count + 1):
            sigma = self.options.sigma_space * math.sqrt(3) * 2 ** (count - i) / math.sqrt(4**count - 1)
            S = both_ways(S, torch.exp(-math.sqrt(2) / sigma * x))
            S = both_ways(S.mT, torch.exp(-math.sqrt(2) / sigma * y.mT)).mT
        return S.to(image_BCHW.dtype)


def distances(image: Tensor, ratio: float) -> tuple[Tensor, Tensor]:
    """Returns d between neighbours along x and along y.

    The shapes are (B, 1, H, W - 1) and (B, 1, H - 1, W).
    """
    x, y = (1 + ratio * torch.diff(image, dim=axis).abs().sum(1, keepdim=True) for axis in (-1, -2))
    return x, y


def both_ways(image: Tensor, feedback: Tensor) -> Tensor:
    """Runs the recursion along the last axis, forwards and then backwards.

    ``feedback`` is a^d between neighbours.
    """
    forwards = recursion(image, feedback)
    return recursion(forwards.flip(-1), feedback.flip(-1)).flip(-1)


def recursion(image: Tensor, feedback: Tensor) -> Tensor:
    """Computes the recursion along the last axis.

    The recursion is J(n) = (1 - f(n)) I(n) + f(n) J(n - 1), with J(0) = I(0). The code uses doubling steps (Hillis,
    Steele 1986). Before a step of length s, J(n) is the sum over the last s pixels, and f(n) is the factor with which
    J(n - s) still has to be added.
    """
    # Doubling needs log2(n) tensor operations, where a loop over pixels would need n.
    f = functional.pad(feedback, (1, 0))
    J = (1 - f) * image
    step = 1
    while step < image.shape[-1]:
        J = torch.cat([J[..., :step], J[..., step:] + f[..., step:] * J[..., :-step]], -1)
        f = torch.cat([f[..., :step], f[..., step:] * f[..., :-step]], -1)
        step *= 2
    return J
