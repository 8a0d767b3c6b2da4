"""Keeps the learning rate, and lowers it in the last part of the budget."""

from __future__ import annotations

import math

from texprior_plugins.lr_decay import WarmupStableDecayOptions


class WarmupStableDecay:
    """The factor 1 until the last ``share`` of the budget, then down to 0 (Hu et al. 2024, section 4.2).

    With t from 0 to 1 in that part it is 1 - sqrt(t) (Haegele et al. 2024, section 4), or 1 - t. The warm-up is
    ``training.STAGE.warmup_images``.
    """

    def __init__(self, options: WarmupStableDecayOptions) -> None:
        self.share, self.shape = options.share, options.shape

    def __call__(self, share: float) -> float:
        """Returns the factor, 1 at a share of 0 and 0 at 1."""
        # rounding of 1 - share may leave [0, 1], where the root is not defined
        t = min(max(1 - (1 - share) / self.share, 0.0), 1.0)
        return 1 - (math.sqrt(t) if self.shape == "sqrt" else t)
