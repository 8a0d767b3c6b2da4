"""Smooths by weighted least squares (Farbman, Fattal, Lischinski, Szeliski, SIGGRAPH 2008).

The problem is min over S of ‖S - I‖² + lambda sum over neighbours of w |dS|², with w = 1 / (|dl|^1.2 + 1e-4) and
l = the log of the luminance. The result is smooth where the picture has no strong gradient. It is the solution of one
linear equation, (1 + lambda L_w) S = I (equations 2 to 5). The exponent 1.2 is the option ``alpha``.
"""

from __future__ import annotations

import torch
from torch import Tensor

from texprior.flow.decompose import StructureFilter
from texprior_plugins.decomposition import WeightedLeastSquaresOptions
from texprior_plugins.decomposition._planes import one_by_one
from texprior_plugins.decomposition._precision import working
from texprior_plugins.decomposition._screened import solve

EPS = 1e-4
"""Added in the weights' denominator, so that no weight is above 1 / EPS (the authors' value)."""
DARKEST = 1e-4
"""Luminance below which all pixels count as equally black, because the logarithm of 0 is infinite."""


class WeightedLeastSquares(StructureFilter):
    """S = the picture of least energy.

    The weights come from the luminance, which is the mean over channels.
    """

    def __init__(self, options: WeightedLeastSquaresOptions) -> None:
        self.options = options

    def structure(self, image_BCHW: Tensor) -> Tensor:
        """Returns the smoothed picture, (B, C, H, W), within the range of the picture."""
        return one_by_one(self._solved, working(image_BCHW)).to(image_BCHW.dtype)

    def _solved(self, image: Tensor) -> Tensor:
        options = self.options
        x, y = (options.lam * w for w in smoothness_weights(image, options.alpha))
        return solve(image, x, y)


def smoothness_weights(image: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """Returns the weights w along x and along y.

    The shapes are (B, 1, H, W - 1) and (B, 1, H - 1, W).
    """
    luminance = image.mean(1, keepdim=True).clamp_min(DARKEST).log()
    x, y = (1 / (torch.diff(luminance, dim=axis).abs() ** alpha + EPS) for axis in (-1, -2))
    return x, y
