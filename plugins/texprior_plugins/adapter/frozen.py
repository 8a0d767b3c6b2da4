"""The frozen prior without an adapter, a control: nothing is trained but the predictor."""

from __future__ import annotations

from texprior.flow.adapt import DenoiserAdapter, Features
from texprior.flow.prior import DenoiserNet, Network
from texprior.plugin import Options


class FrozenPrior(DenoiserAdapter):
    """The prior as it is: no parameters. y_eps is seen through the concatenated picture alone."""

    def __init__(self, options: Options, denoiser: DenoiserNet) -> None:
        super().__init__()

    def adapted(self, denoiser: DenoiserNet, features: Features) -> Network:
        """The prior."""
        return denoiser
