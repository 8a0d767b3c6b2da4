"""Defines what is diffused: the base that the layer is taken from, and how the network is given the noisy layer.

Every process here is x_t = a x_0 + b y + c n with b = 1 - a. With the base y taken off, this is x_0 - y + sigma n, with
sigma = c / a. The engine sees only this layer, so the samplers and the denoiser D are the same for all of them.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import NamedTuple

from torch import Tensor

from texprior.diffusion.precondition import Enter, scaled
from texprior.errors import ConfigError
from texprior.flow.contract import refuse, require_tensor, require_type
from texprior.plugin.origin import name_of


class Law(NamedTuple):
    """The factors of x_t = a x_0 + b y + c n, where y is the base and n standard normal; each has sigma's shape."""

    a: Tensor
    b: Tensor
    c: Tensor


class DiffusionProcess(ABC):
    """The contract of a process, which is built as ``Impl(options)``.

    Pictures are (B, 3, H, W) in [0, 1]. Each value of a base and of what the network is given depends only on the
    values at the same place, because large pictures are restored in parts.
    """

    largest: float = math.inf
    """The largest noise level of the process, in units of the picture."""

    @abstractmethod
    def base_one(self, picture_BCHW: Tensor, structure_BCHW: Tensor) -> Tensor:
        """Returns the base of Stage I, (B, 3, H, W): what is taken off the clean picture.

        ``structure`` is S(x), the structure of the picture.
        """

    def base_two(self, degraded_BCHW: Tensor, estimate_BCHW: Tensor) -> Tensor | None:
        """Returns the base of Stage II, (B, 3, H, W); None if ``process.base`` decides, as by default.

        ``degraded`` is y_d and ``estimate`` is y_eps. If it returns a picture, the record says ``own_base=True``.
        """
        return None

    @abstractmethod
    def law(self, sigma: Tensor) -> Law:
        """Returns the forward law at noise levels in units of the picture; b = 1 - a, and c = sigma a."""

    def enter(self, x_BCHW: Tensor, sigma_B: Tensor, base_BCHW: Tensor, scale: float) -> Tensor:
        """Returns what the network is given, (B, 3, H, W), of about unit variance; by default c_in x.

        ``x`` is the noisy layer at ``sigma``, both in units of the layer; ``scale`` is the layer's standard deviation
        in units of the picture. The result must be affine in x and determine it. Up to a factor, it depends on
        ``scale`` x, ``scale`` sigma and the base alone.
        """
        return scaled(x_BCHW, sigma_B)

    def kept(self, sigma: float, following: float) -> float | None:
        """Returns rho, the share of noise variance that a reverse step keeps; None if no posterior is stated.

        Both levels are in units of the picture, with sigma > following > 0. With D = D(x, sigma), a step is
        x' = D + sqrt(rho) (following / sigma) (x - D) + following sqrt(1 - rho) n. For a process whose x_t / a is a
        Markov chain, rho = (following / sigma)^2. If it returns a number, the record says ``posterior=True``.
        """
        return None


def base_of_prior(process: DiffusionProcess, picture_BCHW: Tensor, structure_BCHW: Tensor) -> Tensor:
    """Returns the base of Stage I, (B, 3, H, W). Raises ContractError if it is no picture of this size."""
    found = process.base_one(picture_BCHW, structure_BCHW)
    return require_tensor(process, found, picture_BCHW.shape, picture_BCHW, "the base of Stage I")


def base_of_task(process: DiffusionProcess, degraded_BCHW: Tensor, estimate_BCHW: Tensor) -> Tensor | None:
    """Returns the base of Stage II, (B, 3, H, W), or None; otherwise as ``base_of_prior``."""
    found = process.base_two(degraded_BCHW, estimate_BCHW)
    if found is None:
        return None
    return require_tensor(process, found, estimate_BCHW.shape, estimate_BCHW, "the base of Stage II")


def share_kept(process: DiffusionProcess, sigma: float, following: float) -> float:
    """Returns rho of a process, a number in [0, 1].

    Raises ConfigError if the process states no posterior, and ContractError if it returns something else.
    """
    rho = process.kept(sigma, following)
    if rho is None:
        raise ConfigError(f"{name_of(process)} states no reverse chain that a sampler could follow")
    require_type(process, rho, float, "kept")
    if not 0 <= rho <= 1:
        refuse(process, f"kept({sigma:g}, {following:g}) is {rho:g}", "a number from 0 to 1")
    return rho


def entrance(process: DiffusionProcess, base_BCHW: Tensor, scale: float) -> Enter:
    """Returns the input map of a process for pictures with these bases.

    Raises ContractError if the process gives the network something of another shape.
    """

    def enter(x_BCHW: Tensor, sigma_B: Tensor) -> Tensor:
        found = process.enter(x_BCHW, sigma_B, base_BCHW, scale)
        return require_tensor(process, found, x_BCHW.shape, x_BCHW, "what the network is given")

    return enter
