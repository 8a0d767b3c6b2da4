"""Computes the multi-scale structural similarity (Wang, Simoncelli, Bovik 2003)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from texprior_plugins.metric import SsimOptions
from texprior_plugins.metric._pictures import check_pair, to_space
from texprior_plugins.metric.ssim import TAPS, similarity

EXPONENTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""The exponents of the five scales, from the finest (section 4): the authors fitted them to human judgements."""
_MINIMUM_PX = (len(TAPS) - 1) * 2 ** (len(EXPONENTS) - 1) + 1
"""The smallest side, px: in a smaller picture the window does not fit into the coarsest scale."""


class MsSsim:
    """Multi-scale structural similarity, at most 1 (equation 7).

    It is the product over five scales of the mean contrast-structure term, with luminance at the coarsest scale.
    Between scales the size is halved, rounded up, by averaging 2 x 2 px; borders are mirrored. A mean below 0 counts as
    0. Channels are scored one by one, and the scores averaged.
    """

    def __init__(self, options: SsimOptions) -> None:
        self.space = options.space
        self.key = f"ms_ssim_{options.space}_{options.window}"

    def __call__(self, image_BCHW: Tensor, reference_BCHW: Tensor | None) -> Tensor:
        """Returns the scores, (B,) float64.

        Raises ImageError for pictures smaller than 161 px.
        """
        reference = check_pair(self.key, image_BCHW, reference_BCHW, _MINIMUM_PX)
        x, y = to_space(image_BCHW, self.space), to_space(reference, self.space)
        score_BC = torch.ones_like(x[..., 0, 0])
        for scale, exponent in enumerate(EXPONENTS):
            x, y = (_half_size(x), _half_size(y)) if scale else (x, y)
            luminance, contrast_structure = similarity(x, y)
            coarsest = scale == len(EXPONENTS) - 1
            term = luminance * contrast_structure if coarsest else contrast_structure
            # a negative mean has no real power with these exponents, so it counts as 0
            score_BC = score_BC * term.mean((2, 3)).clamp(min=0) ** exponent
        return score_BC.mean(1)


def _half_size(image_BCHW: Tensor) -> Tensor:
    """Halves the size by means of 2 x 2 px.

    The last row or column of an odd side counts twice.
    """
    height, width = image_BCHW.shape[-2:]
    return F.avg_pool2d(F.pad(image_BCHW, (0, width % 2, 0, height % 2), mode="replicate"), 2)
