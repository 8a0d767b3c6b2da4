"""Makes small inputs for adapters that must run the denoiser once before they are built."""

from __future__ import annotations

from torch import Tensor

from texprior.flow.adapt import coarsest_stride
from texprior.flow.prior import DenoiserNet


def small_inputs(denoiser: DenoiserNet) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Returns x, c_noise, condition and code of a small picture, all zero.

    The picture has two positions per side at the coarsest stride.
    """
    # two positions, not one: the output sizes then tell the stride of every layer without rounding
    like, width = next(denoiser.parameters()), denoiser.code_width
    side = 2 * coarsest_stride(denoiser)
    picture = like.new_zeros(1, 3, side, side)
    return picture, like.new_zeros(1), picture, like.new_zeros(1, min(width, 1), width)
