"""Trains only the biases: BitFit (Ben Zaken et al. 2022)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from texprior.errors import ConfigError
from texprior.flow.adapt import WeightAdapter, keyed, within
from texprior.flow.prior import DenoiserNet
from texprior_plugins.adapter import BitfitOptions


class Biases(WeightAdapter):
    """Trained change d of every bias at the position: b' = b + d.

    Biases of norms are included, and d starts at zero. Raises ConfigError if the denoiser has no bias there.
    """

    def __init__(self, options: BitfitOptions, denoiser: DenoiserNet) -> None:
        super().__init__()
        inside = within(denoiser, options.position)
        biases = {p: b for p, b in denoiser.named_parameters() if p.rpartition(".")[2] == "bias" and inside(p)}
        if not biases:
            raise ConfigError(f"adapter: bitfit finds no bias at '{options.position}' in the denoiser")
        self.paths = list(biases)
        self.delta = nn.ParameterDict({keyed(p): nn.Parameter(torch.zeros(b.shape)) for p, b in biases.items()})

    def weights(self, frozen: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Returns b' of every bias."""
        return {path: frozen[path] + self.delta[keyed(path)] for path in self.paths}
