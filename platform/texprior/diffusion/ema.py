"""Averages weights exponentially, with a half-life that depends on the number of images seen."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn


class Ema:
    """Exponential moving average of weights, with a half-life in images.

    See Karras et al. 2022, appendix F.2. The half-life is at most ``rampup`` times the images seen. Without this limit,
    the average of a short run would still contain much of the initial weights.
    """

    def __init__(self, parameters: Mapping[str, Tensor], half_life_images: float, rampup: float = 0.05) -> None:
        self.shadow = {name: p.detach().clone() for name, p in parameters.items()}
        self.half_life_images = half_life_images
        self.rampup = rampup

    def decay(self, batch: int, images_seen: int) -> float:
        """Returns beta = 0.5 ** (batch / half-life); 0 before any image was seen."""
        half_life = min(self.half_life_images, self.rampup * images_seen)
        return 0.5 ** (batch / half_life) if half_life > 0 else 0.0

    @torch.no_grad()
    def update(self, parameters: Mapping[str, Tensor], batch: int, images_seen: int) -> None:
        """Moves the average towards the parameters after a step of ``batch`` images."""
        beta = self.decay(batch, images_seen)
        averages, weights = [self.shadow[name] for name in parameters], [p.detach() for p in parameters.values()]
        if weights:
            # all at once: a network has hundreds of parameters, and on a GPU each call of its own costs a launch
            get_ema_multi_avg_fn(beta)(averages, weights, images_seen)  # type: ignore[no-untyped-call]
