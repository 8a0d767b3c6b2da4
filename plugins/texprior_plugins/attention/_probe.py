"""Tests with one small call whether an attention and its gradient run on a device."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]


def reason_against(attend: Attend, name: str, device: torch.device, dtype: torch.dtype) -> str:
    """Tries ``attend`` and its gradient on a few tokens on the device.

    Returns an empty string if both run, else the reason in a sentence.
    """
    # a real call with a gradient: a library may be imported without error and still lack a kernel, forward or backward
    try:
        tokens = torch.zeros(1, 1, 2, 8, device=device, dtype=dtype, requires_grad=True)
        torch.autograd.grad(attend(tokens, tokens, tokens).sum(), tokens)
    except (RuntimeError, NotImplementedError, AssertionError, ValueError) as error:
        reason = str(error).strip().partition("\n")[0].partition(". ")[0]
        return f"{name} does not run on {device} in {dtype}: {reason}"
    return ""
