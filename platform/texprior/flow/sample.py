"""sample: from noise to a layer, seeing only a denoiser D and an array of sigmas."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

Denoise = Callable[[Tensor, Tensor], Tensor]
"""D(x_BCHW, sigma): sigma a 0-dimensional tensor; returns the estimate of the clean layer, (B, C, H, W)."""
Noise = Callable[[int], Tensor]
"""Standard normal numbers of x's shape for a step's index: the injected noise source."""


class LayerSampler(Protocol):
    """The contract of a sampler. Built as ``Impl(options)``."""

    def calls(self, steps: int) -> int:
        """Network calls (NFE) that ``steps`` steps take."""
        ...

    def __call__(self, denoise: Denoise, x_BCHW: Tensor, sigmas: Tensor, noise: Noise) -> Tensor:
        """The layer at sigma 0 from x at ``sigmas[0]``; ``sigmas`` decrease to a final 0, (steps + 1,)."""
        ...


@torch.no_grad()
def sample(denoise: Denoise, sampler: LayerSampler, x_BCHW: Tensor, sigmas: Tensor, noise: Noise) -> Tensor:
    """A sampled layer, (B, C, H, W), unclipped."""
    return sampler(denoise, x_BCHW, sigmas.to(x_BCHW.device), noise)
