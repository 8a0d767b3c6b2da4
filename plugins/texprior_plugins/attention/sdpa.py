"""PyTorch's scaled dot-product attention."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

if TYPE_CHECKING:
    from texprior.plugin import Options


class Sdpa:
    """softmax(q k^T / sqrt(D)) v (Vaswani et al. 2017, eq. 1); PyTorch chooses the kernel."""

    def __init__(self, options: Options) -> None:
        self.options = options

    def available(self, device: torch.device, dtype: torch.dtype) -> str:
        """Empty where a small attention and its gradient run on the device, else the reason in a sentence."""
        try:
            tokens = torch.zeros(1, 1, 2, 8, device=device, dtype=dtype, requires_grad=True)
            torch.autograd.grad(self(tokens, tokens, tokens).sum(), tokens)
        except (RuntimeError, NotImplementedError, AssertionError) as error:
            reason = str(error).strip().partition("\n")[0].partition(". ")[0]
            return f"scaled_dot_product_attention does not run on {device} in {dtype}: {reason}"
        return ""

    def __call__(self, query_BHND: Tensor, key_BHMD: Tensor, value_BHMD: Tensor) -> Tensor:
        """Attention of N queries over M keys, (B, heads, N, D); differentiable."""
        return scaled_dot_product_attention(query_BHND, key_BHMD, value_BHMD)
