"""Turns noise into a layer with a sampler.

A sampler uses only a denoiser D and an array of sigmas.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor

from texprior.flow.contract import require_tensor, require_type

Denoise = Callable[[Tensor, Tensor], Tensor]
"""D(x_BCHW, sigma) with a 0-dimensional tensor sigma; returns the estimate of the clean layer, (B, C, H, W)."""
Noise = Callable[[int], Tensor]
"""The source of noise: returns standard normal numbers of x's shape for the index of a step."""


class LayerSampler(Protocol):
    """The contract of a sampler, which is built as ``Impl(options)``."""

    def calls(self, steps: int) -> int:
        """Returns the number of network calls (NFE) for ``steps`` steps."""
        ...

    def __call__(self, denoise: Denoise, x_BCHW: Tensor, sigmas: Tensor, noise: Noise) -> Tensor:
        """Returns the layer at sigma 0, starting from x at ``sigmas[0]``.

        ``sigmas``, (steps + 1,), decrease to a final 0.
        """
        ...


@torch.no_grad()
def sample(denoise: Denoise, sampler: LayerSampler, x_BCHW: Tensor, sigmas: Tensor, noise: Noise) -> Tensor:
    """Returns a sampled layer, (B, C, H, W), unclipped.

    Raises ContractError if the sampler returns something else.
    """
    layer = sampler(denoise, x_BCHW, sigmas.to(x_BCHW.device), noise)
    return require_tensor(sampler, layer, x_BCHW.shape, x_BCHW, "the sampled layer")


def network_calls(sampler: LayerSampler, steps: int) -> int:
    """Returns the number of network calls for ``steps`` steps.

    Raises ContractError if the sampler states no whole number.
    """
    calls = sampler.calls(steps)
    require_type(sampler, calls, int, f"calls({steps})")
    return calls
