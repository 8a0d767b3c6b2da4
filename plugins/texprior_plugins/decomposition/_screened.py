"""The screened Poisson equation with weights, (1 + L) S = I, that weighted least squares and its kin come down to.

L = Dx' Wx Dx + Dy' Wy Dy is the Laplacian of the pixel grid with one weight per pair of neighbours. It is solved by
conjugate gradients, preconditioned with one multigrid cycle: cells of 2 x 2 pixels are joined again and again, the
weights between two cells being the sum of those they join (Galerkin's coarse operator for piecewise constant pictures),
with one damped Jacobi step on either side.

The rows of 1 + L sum to 1 and its off-diagonal entries are not positive, so no entry of (1 + L)^-1 is negative and its
rows sum to 1 too: the largest error of S is at most the largest residual. That residual ends the iteration. (In
float64; on devices that have none, weights above 10 leave a larger error.)
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from texprior.errors import TexpriorError

TOLERANCE = 1e-6
"""The largest residual, and so the largest error, of the solution, in units of the picture."""
MOST_ITERATIONS = 5000
DAMPING = 0.8


class Grid(NamedTuple):
    """M + L on a grid: the diagonal M, (B, 1, H, W), and weights along x, (.., H, W - 1), and y, (.., H - 1, W)."""

    mass: Tensor
    x: Tensor
    y: Tensor

    def applied(self, image: Tensor) -> Tensor:
        """(M + L) image."""
        across, down = self.x * torch.diff(image, dim=-1), self.y * torch.diff(image, dim=-2)
        total = self.mass * image
        total[..., :-1] -= across
        total[..., 1:] += across
        total[..., :-1, :] -= down
        total[..., 1:, :] += down
        return total

    def diagonal(self) -> Tensor:
        """The diagonal of M + L."""
        return self.mass + _sum_at_ends(self.x, -1) + _sum_at_ends(self.y, -2)

    def coarser(self) -> Grid:
        """The operator on cells of 2 x 2 pixels; at odd sizes the last ones are smaller."""
        return Grid(joined(self.mass), _pairs(self.x[..., 1::2]), _pairs(self.y[..., 1::2, :].mT).mT)


def solve(image_BCHW: Tensor, weights_x: Tensor, weights_y: Tensor) -> Tensor:
    """S with (1 + L) S = image and no error above TOLERANCE; the weights, none negative, are shared by the channels.

    Raises TexpriorError where that takes more than MOST_ITERATIONS.
    """
    grid = Grid(torch.ones_like(image_BCHW[:, :1]), weights_x, weights_y)
    precondition = Cycle(grid)
    S = image_BCHW
    residual = S - grid.applied(S)
    towards = step = precondition(residual)
    power = _dot(residual, towards)
    for _ in range(MOST_ITERATIONS):
        if not residual.abs().max() > TOLERANCE:
            return S
        ahead = grid.applied(step)
        length = power / _dot(step, ahead).clamp_min(torch.finfo(S.dtype).tiny)
        S, residual = S + length * step, residual - length * ahead
        towards = precondition(residual)
        power, before = _dot(residual, towards), power
        step = towards + power / before.clamp_min(torch.finfo(S.dtype).tiny) * step
    raise TexpriorError(
        f"the equation of the structure was not solved to {TOLERANCE:g} in {MOST_ITERATIONS} iterations"
    )


class Cycle:
    """One multigrid cycle from 0: a symmetric positive approximation of (M + L)^-1."""

    def __init__(self, grid: Grid) -> None:
        self.grids = [grid]
        while max(self.grids[-1].mass.shape[-2:]) > 1:
            self.grids.append(self.grids[-1].coarser())
        self.inverse = [1 / g.diagonal() for g in self.grids]

    def __call__(self, residual: Tensor, level: int = 0) -> Tensor:
        grid, inverse = self.grids[level], self.inverse[level]
        if level == len(self.grids) - 1:
            return inverse * residual
        found = DAMPING * inverse * residual
        coarse = self(joined(residual - grid.applied(found)), level + 1)
        height, width = residual.shape[-2:]
        found += coarse.repeat_interleave(2, -2)[..., :height, :].repeat_interleave(2, -1)[..., :width]
        return found + DAMPING * inverse * (residual - grid.applied(found))


def joined(image: Tensor) -> Tensor:
    """Sums over cells of 2 x 2 pixels, (ceil(H / 2), ceil(W / 2))."""
    return _pairs(_pairs(image).mT).mT


def _pairs(image: Tensor) -> Tensor:
    """Sums of rows 0 and 1, 2 and 3, ...; a last odd one stays as it is."""
    odd = image.shape[-2] % 2
    padded = functional.pad(image, (0, 0, 0, odd)) if odd else image
    return padded[..., ::2, :] + padded[..., 1::2, :]


def _sum_at_ends(weights: Tensor, axis: int) -> Tensor:
    """For each pixel of a line the sum of the weights on either side of it."""
    ends = (1, 1) if axis == -1 else (0, 0, 1, 1)
    padded = functional.pad(weights, ends)
    n = padded.shape[axis] - 1
    return padded.narrow(axis, 0, n) + padded.narrow(axis, 1, n)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum((-2, -1), keepdim=True)
