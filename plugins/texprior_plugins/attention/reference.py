"""Computes attention by its plain formula, as a reference for the other backends."""

from __future__ import annotations

from math import sqrt
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from texprior_plugins.attention._probe import reason_against

if TYPE_CHECKING:
    from texprior.plugin import Options


class Reference:
    """Attention by the plain formula, softmax(q k^T / sqrt(D)) v.

    See Vaswani et al. 2017, eq. 1. The implementation holds all N x M weights in memory.
    """

    def __init__(self, options: Options) -> None:
        self.options = options

    def available(self, device: torch.device, dtype: torch.dtype) -> str:
        """Tries a small attention and its gradient on the device.

        Returns an empty string if both run, else the reason in a sentence.
        """
        return reason_against(self, "softmax(q k^T / sqrt(D)) v", device, dtype)

    def __call__(self, query_BHND: Tensor, key_BHMD: Tensor, value_BHMD: Tensor) -> Tensor:
        """Returns the attention of N queries over M keys, (B, heads, N, D). It is differentiable."""
        weights_BHNM = (query_BHND @ key_BHMD.mT / sqrt(query_BHND.shape[-1])).softmax(-1)
        return weights_BHNM @ value_BHMD
