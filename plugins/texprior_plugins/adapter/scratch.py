"""Training from scratch, a control: the prior's network from initial weights, as if there had been no Stage I."""

from __future__ import annotations

from texprior.flow.adapt import DenoiserAdapter, Features
from texprior.flow.prior import DenoiserNet, Network
from texprior.plugin import Options


class FromScratch(DenoiserAdapter):
    """The same network with initial weights, trained whole. y_eps is seen through the concatenated picture alone."""

    runs_prior = False

    def __init__(self, options: Options, denoiser: DenoiserNet) -> None:
        super().__init__()
        self.network = denoiser.fresh().requires_grad_(True)

    def adapted(self, denoiser: DenoiserNet, features: Features) -> Network:
        """The network of its own."""
        return self.network
