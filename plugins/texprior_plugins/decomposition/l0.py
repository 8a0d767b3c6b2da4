"""Smoothing by L0 gradient minimisation (Xu, Lu, Xu, Jia, SIGGRAPH Asia 2011), on the device and batched.

The problem min over S of ‖S - I‖² + lambda #{p : grad S(p) != 0} is relaxed by auxiliary gradients (h, v):

    E_beta(S, h, v) = ‖S - I‖² + lambda #{p : (h, v)(p) != 0} + beta ‖grad S - (h, v)‖²

and minimised over (h, v) and S in turn while beta grows. Sums run over channels, so that all channels of a pixel
share one decision. The paper solves for S by a Fourier transform, which makes the picture periodic and lets opposite
borders smooth each other; here borders are mirrored (no gradient across them) and the transform is the cosine's.
"""

from __future__ import annotations

from torch import Tensor

from texprior.flow.decompose import StructureFilter
from texprior_plugins.decomposition import L0Options
from texprior_plugins.decomposition._cosine import dct2, idct2, mirror_laplacian
from texprior_plugins.decomposition._gradient import gradient, gradient_adjoint
from texprior_plugins.decomposition._precision import working


def gradient_step(structure_BCHW: Tensor, lam: float, beta: float) -> tuple[Tensor, Tensor]:
    """The (h, v) that minimise E_beta at a given S (equation 12): the gradient where it is worth its cost, else 0."""
    h, v = gradient(structure_BCHW)
    kept = (h.square() + v.square()).sum(1, keepdim=True) > lam / beta
    return h * kept, v * kept


def structure_step(image_BCHW: Tensor, h: Tensor, v: Tensor, beta: float) -> Tensor:
    """The S that minimises E_beta at given (h, v): (1 - beta Laplacian) S = I + beta gradient_adjoint(h, v)."""
    right = dct2(image_BCHW + beta * gradient_adjoint(h, v))
    return idct2(right / (1 + beta * mirror_laplacian(right)))


def augmented_energy(S: Tensor, image_BCHW: Tensor, h: Tensor, v: Tensor, lam: float, beta: float) -> Tensor:
    """E_beta of each picture of the batch, (B,)."""
    x, y = gradient(S)
    fidelity = (S - image_BCHW).square().sum((1, 2, 3))
    support = ((h != 0) | (v != 0)).any(1).sum((1, 2)).to(S.dtype)
    coupling = ((x - h).square() + (y - v).square()).sum((1, 2, 3))
    return fidelity + lam * support + beta * coupling


class L0(StructureFilter):
    """Alternates the two half-steps from beta = 2 lambda to ``beta_max`` (algorithm 1)."""

    def __init__(self, options: L0Options) -> None:
        self.options = options

    def structure(self, image_BCHW: Tensor) -> Tensor:
        """The smoothed picture, (B, C, H, W); it may leave the picture's range by a little."""
        lam, image = self.options.lam, working(image_BCHW)
        S, beta = image, 2 * lam
        while beta < self.options.beta_max:
            h, v = gradient_step(S, lam, beta)
            S = structure_step(image, h, v, beta)
            beta *= self.options.kappa
        return S.to(image_BCHW.dtype)
