"""Smooths by total variation (Rudin, Osher, Fatemi, Physica D 1992), solved in its dual.

The problem is min over S of ½‖S - I‖² + lambda TV(S), with TV(S) = sum over pixels of |grad S|. Its solution is
S = I - lambda div* p; div* is the adjoint of grad, and p is a field of vectors no longer than 1 (Chambolle, J. Math.
Imaging 2004, section 3). Projected gradient steps of size 1 / (8 lambda) with Nesterov's acceleration find p (Beck,
Teboulle, IEEE Trans. Image Processing 2009, algorithm FGP).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from texprior.flow.decompose import StructureFilter
from texprior_plugins.decomposition import TotalVariationOptions
from texprior_plugins.decomposition._gradient import gradient, gradient_adjoint
from texprior_plugins.decomposition._planes import channel_by_channel
from texprior_plugins.decomposition._precision import at_least_single

Field = tuple[Tensor, Tensor]


class TotalVariation(StructureFilter):
    """S = the picture of least energy; each channel is solved separately."""

    def __init__(self, options: TotalVariationOptions) -> None:
        self.options = options

    def structure(self, image_BCHW: Tensor) -> Tensor:
        """Returns the smoothed picture, (B, C, H, W).

        Its root mean square error is at most ``tolerance``.
        """
        return channel_by_channel(self._solution, at_least_single(image_BCHW)).to(image_BCHW.dtype)

    def _solution(self, image: Tensor) -> Tensor:
        lam = self.options.lam
        return image - lam * gradient_adjoint(*solved(image, lam, steps_for(lam, self.options.tolerance)))


def steps_for(lam: float, tolerance: float) -> int:
    """Returns the number of steps that reach the tolerance for every picture.

    After them, no picture's root mean square error is above the tolerance.

    After k steps ½‖S - S*‖² <= 2 (8 lambda²) ‖p*‖² / (k + 1)² (Beck and Teboulle, theorem 4.4 of SIAM J. Imaging
    Sciences 2009), and ‖p*‖² is at most the number of pixels.
    """
    # The number is fixed beforehand, so that a picture's result does not depend on the others in its batch.
    return math.ceil(math.sqrt(32) * lam / tolerance)


def solved(image: Tensor, lam: float, iterations: int) -> Field:
    """Returns the dual field p after ``iterations`` steps."""
    p = (torch.zeros_like(image), torch.zeros_like(image))
    q, S, t = (torch.zeros_like(image), torch.zeros_like(image)), torch.empty_like(image), 1.0
    for _ in range(iterations):
        _subtract_adjoint(image, q, lam, S)
        # 8 bounds the squared norm of the gradient operator, which makes 1 / (8 lambda) the largest safe step.
        _add_gradient(S, 1 / (8 * lam), q)
        _project(q, S)
        later = (1 + math.sqrt(1 + 4 * t * t)) / 2
        # The old p is not needed any more: its memory takes the next q.
        p, q = q, tuple(old.lerp_(new, 1 + (t - 1) / later) for old, new in zip(p, q, strict=True))
        t = later
    return p


def energy(S: Tensor, image: Tensor, lam: float) -> Tensor:
    """Returns the energy of each picture of the batch, (B,).

    It is ½‖S - I‖² + lambda TV(S).
    """
    x, y = gradient(S)
    return ((S - image).square() / 2 + lam * torch.hypot(x, y)).sum((1, 2, 3))


def duality_gap(image: Tensor, p: Field, lam: float) -> Tensor:
    """Returns the energy of S(p) minus that of the dual, (B,).

    This is lambda (TV(S) - <grad S, p>). It is never below ½‖S(p) - S‖², because the energy is strongly convex. So it
    bounds the distance to the solution.
    """
    x, y = gradient(image - lam * gradient_adjoint(*p))
    return lam * (torch.hypot(x, y) - x * p[0] - y * p[1]).sum((1, 2, 3))


def _subtract_adjoint(image: Tensor, field: Field, factor: float, out: Tensor) -> None:
    """Writes image - factor gradient_adjoint(field) to ``out``."""
    # Each component is added to one neighbour and taken from the other, without pictures in between.
    out.copy_(image)
    for axis, component in zip((-1, -2), field, strict=True):
        inner, n = component.narrow(axis, 0, component.shape[axis] - 1), component.shape[axis]
        out.narrow(axis, 0, n - 1).add_(inner, alpha=factor)
        out.narrow(axis, 1, n - 1).sub_(inner, alpha=factor)


def _add_gradient(image: Tensor, factor: float, field: Field) -> None:
    """Adds factor gradient(image) to a field, in place."""
    for axis, component in zip((-1, -2), field, strict=True):
        component.narrow(axis, 0, image.shape[axis] - 1).add_(torch.diff(image, dim=axis), alpha=factor)


def _project(field: Field, scratch: Tensor) -> None:
    """Shortens vectors longer than 1 to 1, in place; ``scratch`` is overwritten."""
    x, y = field
    longer = torch.mul(x, x, out=scratch).addcmul_(y, y).clamp_(min=1).sqrt_()
    x.div_(longer)
    y.div_(longer)
