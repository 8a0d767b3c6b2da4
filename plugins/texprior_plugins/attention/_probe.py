"""A one-shot trial: whether an attention and its gradient run on a device."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]


def reason_against(attend: Attend, name: str, device: torch.device, dtype: torch.dtype) -> str:
    """Empty where ``attend`` and its gradient run on a few tokens there, else the reason in a sentence."""
    try:
        tokens = torch.zeros(1, 1, 2, 8, device=device, dtype=dtype, requires_grad=True)
        torch.autograd.grad(attend(tokens, tokens, tokens).sum(), tokens)
    except (RuntimeError, NotImplementedError, AssertionError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0].partition(". ")[0]
        return f"{name} does not run on {device} in {dtype}: {reason}"
    return ""
