"""Implements the reverse chain of a process, step by step."""

from __future__ import annotations

from itertools import pairwise
from math import sqrt
from typing import TYPE_CHECKING

from torch import Tensor

from texprior.flow.process import share_kept
from texprior.plugin import Options

if TYPE_CHECKING:
    from texprior.flow.process import DiffusionProcess
    from texprior.flow.sample import Denoise, Noise


class Posterior:
    """Samples x_(t-1) from the posterior q(x_(t-1) | x_t, x_0 = D) of the process.

    With D = D(x, sigma), the next level s and the process's rho,

    x' = D + sqrt(rho) (s / sigma) (x - D) + s sqrt(1 - rho) n.

    ``scale`` is the standard deviation of the layer in units of the picture, in which the process counts levels.
    """

    def __init__(self, options: Options, process: DiffusionProcess, scale: float) -> None:
        self._process, self._scale = process, scale

    def calls(self, steps: int) -> int:
        """Returns the number of network calls, one per step."""
        return steps

    def __call__(self, denoise: Denoise, x_BCHW: Tensor, sigmas: Tensor, noise: Noise) -> Tensor:
        """Returns the layer at sigma 0, (B, C, H, W).

        ``sigmas``, (steps + 1,), decrease to a final 0.
        """
        for i, (sigma, following) in enumerate(pairwise(sigmas.tolist())):
            clean = denoise(x_BCHW, sigmas[i])
            rho = self._share(sigma, following)
            x_BCHW = clean + sqrt(rho) * (following / sigma) * (x_BCHW - clean)
            if following > 0:
                x_BCHW = x_BCHW + following * sqrt(1 - rho) * noise(i).to(x_BCHW)
        return x_BCHW

    def _share(self, sigma: float, following: float) -> float:
        """Returns rho; the last step, to 0, keeps nothing."""
        return share_kept(self._process, self._scale * sigma, self._scale * following) if following > 0 else 0.0
