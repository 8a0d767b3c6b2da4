"""Solves the weighted screened Poisson equation, (1 + L) S = I.

Weighted least squares and relative total variation both need it. L = Dx' Wx Dx + Dy' Wy Dy is the Laplacian of the
pixel grid with one weight per pair of neighbours.

The solver uses conjugate gradients, preconditioned with one multigrid cycle. Each coarser grid joins cells of 2 x 2
pixels. The weight between two cells is the sum of the weights between their pixels (Galerkin's coarse operator for
piecewise constant pictures). There is one damped Jacobi step before and one after the coarser grid.

The rows of 1 + L sum to 1, and its off-diagonal entries are not positive. So no entry of (1 + L)^-1 is negative, and
its rows sum to 1 too. Therefore the largest error of S is at most the largest residual, which ends the iteration. This
holds in float64; on devices without float64, weights above 10 leave a larger error.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from texprior.errors import TexpriorError

TOLERANCE = 1e-6
"""Largest residual, and so largest error, of the solution for values in [0, 1]: far below one of 255 grey levels."""
# A limit, so that a case that does not converge ends with an error instead of running without end.
MOST_ITERATIONS = 5000
# Factor on the Jacobi steps. Without damping (1) they do not smooth the fastest oscillations.
DAMPING = 0.8


class Grid(NamedTuple):
    """The operator M + L on a grid of pixels.

    It holds the diagonal M, (B, 1, H, W), and the weights along x, (.., H, W - 1), and along y, (.., H - 1, W).
    """

    mass: Tensor
    x: Tensor
    y: Tensor

    def applied(self, image: Tensor) -> Tensor:
        """Returns (M + L) image."""
        across, down = self.x * torch.diff(image, dim=-1), self.y * torch.diff(image, dim=-2)
        total = self.mass * image
        total[..., :-1] -= across
        total[..., 1:] += across
        total[..., :-1, :] -= down
        total[..., 1:, :] += down
        return total

    def diagonal(self) -> Tensor:
        """Returns the diagonal of M + L."""
        return self.mass + _sum_at_ends(self.x, -1) + _sum_at_ends(self.y, -2)

    def coarser(self) -> Grid:
        """Returns the operator on cells of 2 x 2 pixels.

        If a size is odd, the last cells are smaller.
        """
        return Grid(joined(self.mass), _pairs(self.x[..., 1::2]), _pairs(self.y[..., 1::2, :].mT).mT)


def solve(image_BCHW: Tensor, weights_x: Tensor, weights_y: Tensor) -> Tensor:
    """Returns S with (1 + L) S = image and no error above TOLERANCE.

    All channels share the weights; none may be negative. Raises TexpriorError if MOST_ITERATIONS are not enough.
    """
    grid = Grid(torch.ones_like(image_BCHW[:, :1]), weights_x, weights_y)
    precondition = Cycle(grid)

    # The picture itself is the first guess: where it is smooth, it nearly solves the equation.
    S = image_BCHW
    residual = S - grid.applied(S)
    towards = step = precondition(residual)
    power = _dot(residual, towards)
    for _ in range(MOST_ITERATIONS):
        # Written with "not" so that NaN in the picture returns at once instead of using all iterations.
        if not residual.abs().max() > TOLERANCE:
            return S
        ahead = grid.applied(step)
        # A picture of the batch that is solved already has step 0: the clamp makes 0 / 0 a 0.
        length = power / _dot(step, ahead).clamp_min(torch.finfo(S.dtype).tiny)
        S, residual = S + length * step, residual - length * ahead
        towards = precondition(residual)
        power, before = _dot(residual, towards), power
        step = towards + power / before.clamp_min(torch.finfo(S.dtype).tiny) * step
    raise TexpriorError(
        f"the structure was not solved to an error of {TOLERANCE:g} in {MOST_ITERATIONS} iterations; "
        "use a smaller lam or a device with float64"
    )


class Cycle:
    """One multigrid cycle that starts from 0: a symmetric positive approximation of (M + L)^-1."""

    def __init__(self, grid: Grid) -> None:
        self.grids = [grid]
        while max(self.grids[-1].mass.shape[-2:]) > 1:
            self.grids.append(self.grids[-1].coarser())
        self.inverse = [1 / g.diagonal() for g in self.grids]

    def __call__(self, residual: Tensor, level: int = 0) -> Tensor:
        grid, inverse = self.grids[level], self.inverse[level]
        if level == len(self.grids) - 1:
            return inverse * residual

        # The same Jacobi step before and after the coarser grid keeps the cycle symmetric, as conjugate gradients
        # need it.
        found = DAMPING * inverse * residual
        coarse = self(joined(residual - grid.applied(found)), level + 1)
        height, width = residual.shape[-2:]
        found += coarse.repeat_interleave(2, -2)[..., :height, :].repeat_interleave(2, -1)[..., :width]
        return found + DAMPING * inverse * (residual - grid.applied(found))


def joined(image: Tensor) -> Tensor:
    """Returns sums over cells of 2 x 2 pixels, (ceil(H / 2), ceil(W / 2))."""
    return _pairs(_pairs(image).mT).mT


def _pairs(image: Tensor) -> Tensor:
    """Returns the sums of rows 0 and 1, 2 and 3, ...

    If the number of rows is odd, the last one stays as it is.
    """
    odd = image.shape[-2] % 2
    padded = functional.pad(image, (0, 0, 0, odd)) if odd else image
    return padded[..., ::2, :] + padded[..., 1::2, :]


def _sum_at_ends(weights: Tensor, axis: int) -> Tensor:
    """Returns, for each pixel of a line, the sum of the weights on both sides of it."""
    ends = (1, 1) if axis == -1 else (0, 0, 1, 1)
    padded = functional.pad(weights, ends)
    n = padded.shape[axis] - 1
    return padded.narrow(axis, 0, n) + padded.narrow(axis, 1, n)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return (a * b).sum((-2, -1), keepdim=True)
