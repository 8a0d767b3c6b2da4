"""Smooths by L0 gradient minimisation, on the device and batched.

See Xu, Lu, Xu, Jia, SIGGRAPH Asia 2011.

Auxiliary gradients (h, v) relax the problem min over S of ‖S - I‖² + lambda #{p : grad S(p) != 0}:

    E_beta(S, h, v) = ‖S - I‖² + lambda #{p : (h, v)(p) != 0} + beta ‖grad S - (h, v)‖²

E_beta is minimised over (h, v) and over S in turn, while beta grows. Sums run over channels, so that all channels of a
pixel share one decision. The paper solves for S with a Fourier transform. This makes the picture periodic, and opposite
borders smooth each other. Here borders are mirrored (no gradient across them), and the transform is the cosine one.
"""

from __future__ import annotations

from torch import Tensor

from texprior.flow.decompose import StructureFilter
from texprior_plugins.decomposition import L0Options
from texprior_plugins.decomposition._cosine import dct2, idct2, mirror_laplacian
from texprior_plugins.decomposition._gradient import gradient, gradient_adjoint
from texprior_plugins.decomposition._planes import one_by_one
from texprior_plugins.decomposition._precision import working


def gradient_step(structure_BCHW: Tensor, lam: float, beta: float) -> tuple[Tensor, Tensor]:
    """Returns the (h, v) that minimise E_beta at a given S (equation 12).

    At each pixel it is the gradient if its square is above the cost lambda / beta, else 0.
    """
    h, v = gradient(structure_BCHW)
    kept = (h.square() + v.square()).sum(1, keepdim=True) > lam / beta
    return h * kept, v * kept


def structure_step(image_BCHW: Tensor, h: Tensor, v: Tensor, beta: float) -> Tensor:
    """Returns the S that minimises E_beta at given (h, v).

    It solves (1 - beta Laplacian) S = I + beta gradient_adjoint(h, v).
    """
    # The cosine basis diagonalises the Laplacian with mirrored borders, so the solution is one division.
    right = dct2(image_BCHW + beta * gradient_adjoint(h, v))
    return idct2(right / (1 + beta * mirror_laplacian(right)))


def augmented_energy(S: Tensor, image_BCHW: Tensor, h: Tensor, v: Tensor, lam: float, beta: float) -> Tensor:
    """Returns E_beta of each picture of the batch, (B,)."""
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
        """Returns the smoothed picture, (B, C, H, W).

        Its values may leave the picture's range slightly.
        """
        return one_by_one(self._alternated, working(image_BCHW)).to(image_BCHW.dtype)

    def _alternated(self, image: Tensor) -> Tensor:
        lam = self.options.lam
        S, beta = image, 2 * lam
        while beta < self.options.beta_max:
            h, v = gradient_step(S, lam, beta)
            S = structure_step(image, h, v, beta)
            beta *= self.options.kappa
        return S
