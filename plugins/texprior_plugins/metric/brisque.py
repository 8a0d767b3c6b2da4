"""Computes BRISQUE (Mittal et al. 2012) with the model of its authors' MATLAB release."""

from __future__ import annotations

import torch
from torch import Tensor

from texprior import weights
from texprior.plugin import Options
from texprior_plugins.metric import BRISQUE_MODEL
from texprior_plugins.metric._natural import (
    SHIFTS,
    WINDOW,
    asymmetric_gaussian,
    contrast_normalised,
    half_size,
    symmetric_gaussian,
)
from texprior_plugins.metric._pictures import check_picture, luma_rounded
from texprior_plugins.metric._precision import working


class Brisque:
    """Blind image spatial quality evaluator: a distortion score from natural scene statistics.

    A support vector regression computes the score: about 0 for pristine photographs (it may be below), about 100 for
    the worst. The luma is rounded to 8 bits. 18 features of the picture and 18 of its half size are scaled to [-1, 1]
    by the ranges of the training set. The model was trained on photographs of about 768 x 512 px. A picture without
    contrast scores NaN.
    """

    key = "brisque"

    def __init__(self, _options: Options) -> None:
        self.model = weights.load(BRISQUE_MODEL)

    def __call__(self, image_BCHW: Tensor, _reference: Tensor | None = None) -> Tensor:
        """Returns the scores, (B,) float64.

        Raises ImageError for pictures whose half size is smaller than the window.
        """
        check_picture(self.key, image_BCHW, 2 * len(WINDOW))
        grey = luma_rounded(working(image_BCHW)) * 255
        features = torch.cat([statistics(grey), statistics(half_size(grey))], dim=-1)
        low, high, vectors = (self.model[name].to(features) for name in ("low", "high", "support_vectors"))
        scaled = 2 * (features - low) / (high - low) - 1
        # epsilon-SVR with a radial basis function, exp(-gamma |u - v|^2): written out, so that LIBSVM is not needed
        distance = (scaled[:, None] - vectors).square().sum(-1)
        kernel = (-self.model["gamma"].to(features) * distance).exp()
        score: Tensor = kernel @ self.model["coefficients"].to(features) - self.model["rho"].to(features)
        return score


def statistics(grey_B1HW: Tensor) -> Tensor:
    """Returns the 18 features of table I, (B, 18).

    They are shape and variance of the contrast, and four features of its product with each neighbour.
    """
    # black outside the picture, as in the release that the model was trained with
    contrast = contrast_normalised(grey_B1HW, "constant")
    features = [*symmetric_gaussian(contrast)]
    for shift in SHIFTS:
        shape, mean, left, right = asymmetric_gaussian(contrast * contrast.roll(shift, dims=(-2, -1)))
        features += [shape, mean, left.square(), right.square()]
    return torch.cat(features, dim=-1)
