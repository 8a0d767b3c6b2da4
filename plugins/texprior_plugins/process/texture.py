"""Implements the texture as the layer that is diffused (Ye et al. 2024)."""

from __future__ import annotations

import torch
from torch import Tensor

from texprior.flow.process import DiffusionProcess, Law
from texprior.plugin import Options
from texprior_plugins.process._chain import markov


class Texture(DiffusionProcess):
    """The texture with noise, x_t = x_0 + sigma n; the base is the structure, or what ``process.base`` says.

    The network is given c_in x, which is a variance-preserving DDPM of the layer (Karras et al. 2022, table 1).
    """

    def __init__(self, options: Options) -> None:
        pass

    def base_one(self, picture_BCHW: Tensor, structure_BCHW: Tensor) -> Tensor:
        """Returns the structure, (B, 3, H, W)."""
        return structure_BCHW

    def law(self, sigma: Tensor) -> Law:
        """Returns a = 1, b = 0 and c = sigma."""
        return Law(torch.ones_like(sigma), torch.zeros_like(sigma), sigma)

    def kept(self, sigma: float, following: float) -> float:
        """Returns rho = (following / sigma)^2, as DDPM's posterior has it."""
        return markov(sigma, following)
