"""Runs the frozen prior without an adapter, as a control.

Only the predictor is trained.
"""

from __future__ import annotations

from texprior.flow.adapt import DenoiserAdapter, Features
from texprior.flow.prior import DenoiserNet, Network
from texprior.plugin import Options


class FrozenPrior(DenoiserAdapter):
    """The prior without any change and without parameters.

    The network sees y_eps only through the concatenated picture.
    """

    def __init__(self, options: Options, denoiser: DenoiserNet) -> None:
        super().__init__()

    def adapted(self, denoiser: DenoiserNet, features: Features) -> Network:
        """Returns the prior."""
        return denoiser
