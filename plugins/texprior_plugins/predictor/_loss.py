"""How far an estimate is from the clean picture, in space and in frequency."""

from __future__ import annotations

import torch
from torch import Tensor

from texprior_plugins.predictor import LossOptions

CHARBONNIER_EPS = 1e-3


def distance(estimate_BCHW: Tensor, clean_BCHW: Tensor, options: LossOptions) -> Tensor:
    """The mean distance of pixels plus ``frequency_weight`` times that of Fourier coefficients, per image, (B,)."""
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
    """Mean |F(a) - F(b)| or, without phases, mean ||F(a)| - |F(b)||, per image, (B,).

    Cho et al. 2021 (arXiv 2108.05054) add the former, with weight .1 and a transform that is not normalised. Here F is
    orthonormal, so that the patch's size is not in the weight.
    """
    a, b = (torch.fft.fft2(image.float(), norm="ortho") for image in (estimate_BCHW, clean_BCHW))
    difference = (a - b).abs() if form == "complex" else (a.abs() - b.abs()).abs()
    return difference.mean(dim=(1, 2, 3))
