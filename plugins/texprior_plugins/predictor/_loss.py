"""Measures the distance of an estimate from the clean picture, in space and in frequency."""

from __future__ import annotations

import torch
from torch import Tensor

from texprior_plugins.predictor import LossOptions

CHARBONNIER_EPS = 1e-3
"""Rounds the absolute error near 0: errors well below this, a quarter of an 8-bit step, count about as squares."""


def distance(estimate_BCHW: Tensor, clean_BCHW: Tensor, options: LossOptions) -> Tensor:
    """Returns the loss per image, (B,).

    It is the mean distance of pixels plus ``frequency_weight`` times the mean distance of Fourier coefficients.
    """
    error = estimate_BCHW - clean_BCHW
    if options.loss == "l1":
        pixels = error.abs()
    elif options.loss == "l2":
        pixels = error.square()
    else:
        pixels = (error.square() + CHARBONNIER_EPS**2).sqrt()
    total = pixels.mean(dim=(1, 2, 3))
    if options.frequency_weight == 0:
        return total
    return total + options.frequency_weight * _of_spectra(estimate_BCHW, clean_BCHW, options.frequency)


def _of_spectra(estimate_BCHW: Tensor, clean_BCHW: Tensor, form: str) -> Tensor:
    """Returns the mean |F(a) - F(b)| or, without phases, the mean ||F(a)| - |F(b)||, per image, (B,).

    Cho et al. 2021 (arXiv 2108.05054) add the former, with weight .1 and a transform that is not normalised. Here F is
    orthonormal, so that the weight does not depend on the size of the patch.
    """
    # float32: torch has no FFT of bfloat16, which a network may return under autocast
    a, b = (torch.fft.fft2(image.float(), norm="ortho") for image in (estimate_BCHW, clean_BCHW))
    difference = (a - b).abs() if form == "complex" else (a.abs() - b.abs()).abs()
    return difference.mean(dim=(1, 2, 3))
