"""Trains the prior's network from initial weights, as a control without Stage I."""

from __future__ import annotations

from texprior.flow.adapt import DenoiserAdapter, Features
from texprior.flow.prior import DenoiserNet, Network
from texprior.plugin import Options


class FromScratch(DenoiserAdapter):
    """The same network with initial weights, which are all trained.

    The network sees y_eps only through the concatenated picture.
    """

    runs_prior = False

    def __init__(self, options: Options, denoiser: DenoiserNet) -> None:
        super().__init__()
        self.network = denoiser.fresh().requires_grad_(True)

    def adapted(self, denoiser: DenoiserNet, features: Features) -> Network:
        """Returns the adapter's own network."""
        return self.network
