"""Trains a copy of all weights of the prior, as a control: full fine-tuning."""

from __future__ import annotations

import copy

from texprior.flow.adapt import DenoiserAdapter, Features
from texprior.flow.prior import DenoiserNet, Network
from texprior.plugin import Options


class FullFineTune(DenoiserAdapter):
    """A copy of the denoiser whose weights are all trained.

    The network sees y_eps only through the concatenated picture.
    """

    runs_prior = False

    def __init__(self, options: Options, denoiser: DenoiserNet) -> None:
        super().__init__()
        # a prior is loaded in evaluation mode, in which a denoiser with dropout would not drop
        self.network = copy.deepcopy(denoiser).requires_grad_(True).train()

    def adapted(self, denoiser: DenoiserNet, features: Features) -> Network:
        """Returns the copy."""
        return self.network
