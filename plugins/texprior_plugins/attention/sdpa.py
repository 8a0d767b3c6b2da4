"""Computes attention with PyTorch's scaled dot-product attention."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from texprior_plugins.attention._probe import reason_against

if TYPE_CHECKING:
    from texprior.plugin import Options


class Sdpa:
    """Attention by PyTorch, softmax(q k^T / sqrt(D)) v (Vaswani et al. 2017, eq. 1).

    PyTorch chooses the kernel.
    """

    def __init__(self, options: Options) -> None:
        self.options = options

    def available(self, device: torch.device, dtype: torch.dtype) -> str:
        """Tries a small attention and its gradient on the device.

        Returns an empty string if both run, else the reason in a sentence.
        """
        return reason_against(self, "scaled_dot_product_attention", device, dtype)

    def __call__(self, query_BHND: Tensor, key_BHMD: Tensor, value_BHMD: Tensor) -> Tensor:
        """Returns the attention of N queries over M keys, (B, heads, N, D). It is differentiable."""
        return scaled_dot_product_attention(query_BHND, key_BHMD, value_BHMD)
