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
        image, lam = at_least_single(image_BCHW), self.options.lam
        p = solved(image, lam, steps_for(lam, self.options.tolerance))
        return (image - lam * gradient_adjoint(*p)).to(image_BCHW.dtype)


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
    q, t = p, 1.0
    for _ in range(iterations):
        slope = gradient(image - lam * gradient_adjoint(*q))
        # 8 bounds the squared norm of the gradient operator, which makes 1 / (8 lambda) the largest safe step.
        new = _projected(*(a + s / (8 * lam) for a, s in zip(q, slope, strict=True)))
        later = (1 + math.sqrt(1 + 4 * t * t)) / 2
        q = tuple(torch.lerp(a, b, 1 + (t - 1) / later) for a, b in zip(p, new, strict=True))
        p, t = new, later
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


def _projected(x: Tensor, y: Tensor) -> Field:
    longer = torch.hypot(x, y).clamp_min(1)
    return x / longer, y / longer
