"""BitFit (Ben Zaken et al. 2022): the biases alone are trained."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from texprior.errors import ConfigError
from texprior.flow.adapt import WeightAdapter, keyed, within
from texprior.flow.prior import DenoiserNet
from texprior_plugins.adapter import BitfitOptions


class Biases(WeightAdapter):
    """b' = b + d for every bias at its position, those of norms too; d starts at zero.

    Raises ConfigError where the denoiser has no bias there.
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
        """b' of every bias."""
        return {path: frozen[path] + self.delta[keyed(path)] for path in self.paths}
