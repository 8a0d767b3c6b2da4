"""Smooths with the domain transform's recursive filter (Gastal, Oliveira, SIGGRAPH 2011).

Along a row, the distance of neighbours is d = 1 + sigma_space / sigma_range sum over channels of |dI| (equation 11).
The recursion J(n) = (1 - a^d) I(n) + a^d J(n - 1) (equation 21) runs forwards and then backwards, first along rows and
then along columns. Iteration i of N has a = exp(-sqrt(2) / sigma_i), with
sigma_i = sigma_space sqrt(3) 2^(N - i) / sqrt(4^N - 1) (equation 14).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from texprior.flow.decompose import StructureFilter
from texprior_plugins.decomposition import DomainTransformOptions
from texprior_plugins.decomposition._precision import working


class DomainTransform(StructureFilter):
    """Smooths in a few pairs of passes along rows and columns, line by line."""

    def __init__(self, options: DomainTransformOptions) -> None:
        self.options = options

    def structure(self, image_BCHW: Tensor) -> Tensor:
        """Returns the smoothed picture, (B, C, H, W), within the range of the picture."""
        image, count = working(image_BCHW), self.options.iterations
        x, y = distances(image, self.options.sigma_space / self.options.sigma_range)
        # The axis of the recursion comes first, so that a step reads and writes memory without gaps.
        x, y, S = x.movedim(-1, 0), y.movedim(-2, 0), image.movedim(-1, 0)
        for i in range(1, count + 1):
            sigma = self.options.sigma_space * math.sqrt(3) * 2 ** (count - i) / math.sqrt(4**count - 1)
            S = both_ways(S, torch.exp(-math.sqrt(2) / sigma * x)).transpose(0, -1)
            S = both_ways(S, torch.exp(-math.sqrt(2) / sigma * y)).transpose(0, -1)
        return S.movedim(0, -1).to(image_BCHW.dtype, memory_format=torch.contiguous_format)


def distances(image: Tensor, ratio: float) -> tuple[Tensor, Tensor]:
    """Returns d between neighbours along x and along y.

    The shapes are (B, 1, H, W - 1) and (B, 1, H - 1, W).
    """
    x, y = (1 + ratio * torch.diff(image, dim=axis).abs().sum(1, keepdim=True) for axis in (-1, -2))
    return x, y


def both_ways(image: Tensor, feedback: Tensor) -> Tensor:
    """Runs the recursion along the first axis, forwards and then backwards.

    ``feedback`` is a^d between neighbours.
    """
    J, factors = image.clone(memory_format=torch.contiguous_format), feedback.contiguous()
    lines, between = J.unbind(), factors.unbind()
    recurse(lines, between)
    recurse(lines[::-1], between[::-1])
    return J


def recurse(lines: Sequence[Tensor], feedback: Sequence[Tensor]) -> None:
    """Replaces the lines I(n) of a picture by J(n), one after the other.

    The recursion is J(n) = (1 - f(n)) I(n) + f(n) J(n - 1), with J(0) = I(0). ``feedback`` begins with f(1).
    """
    for before, line, factor in zip(lines, lines[1:], feedback, strict=False):
        line.lerp_(before, factor)
