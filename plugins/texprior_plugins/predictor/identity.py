"""Returns the degraded picture as the first estimate: the control without a predictor."""

from __future__ import annotations

from torch import Tensor

from texprior.flow.predict import InitialPredictor
from texprior.plugin import Options


class Identity(InitialPredictor):
    """Predictor without parameters: y_eps = y_d. There is nothing to train."""

    def __init__(self, _options: Options) -> None:
        super().__init__()

    def forward(self, degraded_BCHW: Tensor) -> Tensor:
        """Returns the degraded picture, (B, 3, H, W)."""
        return degraded_BCHW

    def loss(self, estimate_BCHW: Tensor, clean_BCHW: Tensor) -> Tensor:
        """Returns the mean absolute error per image, (B,)."""
        return (estimate_BCHW - clean_BCHW).abs().mean(dim=(1, 2, 3))
