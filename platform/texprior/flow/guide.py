"""Guides a denoiser by a weaker one, and mixes the coarse part of one layer with the fine part of another.

Both trade the error of a restored picture for its sharpness, without any training.
"""

from __future__ import annotations

from torch import Tensor

from texprior.flow.condition import blurred
from texprior.flow.contract import refuse
from texprior.flow.sample import Denoise, LayerSampler


def guided_by(denoise: Denoise, weak: Denoise, weight: float) -> Denoise:
    """Returns the denoiser D_weak + w (D - D_weak).

    With a D_weak that lacks the condition, this is classifier-free guidance (Ho & Salimans 2022, eq. 6, where w is 1 +
    w here); with one that is weaker in another way, it is autoguidance (Karras et al. 2024, eq. 3).
    """

    def combined(x_BCHW: Tensor, sigma: Tensor) -> Tensor:
        lacking = weak(x_BCHW, sigma)
        return lacking + weight * (denoise(x_BCHW, sigma) - lacking)

    return combined


class FirstCall:
    """A denoiser that keeps what its first call returned: D at the first noise level."""

    def __init__(self, denoise: Denoise) -> None:
        self._denoise = denoise
        self._first: Tensor | None = None

    def __call__(self, x_BCHW: Tensor, sigma: Tensor) -> Tensor:
        """Returns D(x, sigma), (B, 3, H, W)."""
        found = self._denoise(x_BCHW, sigma)
        if self._first is None:
            # a copy: a sampler may change what it got
            self._first = found.clone()
        return found

    def result(self, sampler: LayerSampler) -> Tensor:
        """Returns what the first call returned, (B, 3, H, W). Raises ContractError if the sampler made no call."""
        if self._first is None:
            refuse(sampler, "the sampler never called the denoiser", "a call at the first noise level")
        return self._first


def with_coarse_part(layer_BCHW: Tensor, of_BCHW: Tensor, px: float) -> Tensor:
    """Returns the layer with the coarse part of another one, (B, 3, H, W).

    The coarse part is what a Gaussian blur of standard deviation ``px`` leaves.
    """
    return layer_BCHW + blurred(of_BCHW - layer_BCHW, px)
