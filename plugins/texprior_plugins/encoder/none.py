"""Implements the control without net S."""

from __future__ import annotations

from torch import Tensor

from texprior.flow.prior import SemanticEncoder
from texprior.plugin import Options


class NoCode(SemanticEncoder):
    """Encoder without output: no tokens, and a width of 0."""

    width = 0
    tokens = 0

    def __init__(self, _options: Options) -> None:
        super().__init__()

    def forward(self, image_BCHW: Tensor) -> Tensor:
        """Returns an empty code, (B, 0, 0)."""
        return image_BCHW.new_zeros(len(image_BCHW), 0, 0)
