"""What a denoiser does with a small picture, for adapters that have to know before they are built."""

from __future__ import annotations

from torch import Tensor

from texprior.flow.adapt import coarsest_stride
from texprior.flow.prior import DenoiserNet


def small_inputs(denoiser: DenoiserNet) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """x, c_noise, condition and code of a picture of two positions a side at the coarsest stride, all zero."""
    like, width = next(denoiser.parameters()), denoiser.code_width
    side = 2 * coarsest_stride(denoiser)
    picture = like.new_zeros(1, 3, side, side)
    return picture, like.new_zeros(1), picture, like.new_zeros(1, min(width, 1), width)
