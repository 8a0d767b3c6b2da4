"""Full fine-tuning, a control: all weights of the prior are trained on for the task, as a copy."""

from __future__ import annotations

import copy

from texprior.flow.adapt import DenoiserAdapter, Features
from texprior.flow.prior import DenoiserNet, Network
from texprior.plugin import Options


class FullFineTune(DenoiserAdapter):
    """A copy of the denoiser, trained whole. y_eps is seen through the concatenated picture alone."""

    runs_prior = False

    def __init__(self, options: Options, denoiser: DenoiserNet) -> None:
        super().__init__()
        self.network = copy.deepcopy(denoiser).requires_grad_(True)

    def adapted(self, denoiser: DenoiserNet, features: Features) -> Network:
        """The copy."""
        return self.network
