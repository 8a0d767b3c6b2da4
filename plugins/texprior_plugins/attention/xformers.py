"""xformers' memory-efficient attention (Lefaudeux et al. 2022), which an extra installs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from texprior_plugins.attention._probe import reason_against

if TYPE_CHECKING:
    from texprior.plugin import Options

ALIGNMENT = 8
"""Its kernels want a multiple of this many channels per head."""


class Xformers:
    """softmax(q k^T / sqrt(D)) v by ``memory_efficient_attention``; channels are padded with zeros to their alignment.

    The library is imported when the backend is first tried or called, never when it is listed.
    """

    def __init__(self, options: Options) -> None:
        self.options = options

    def available(self, device: torch.device, dtype: torch.dtype) -> str:
        """Empty where a small attention and its gradient run on the device, else the reason in a sentence."""
        try:
            import xformers.ops  # noqa: F401
        except ImportError as error:
            if error.name == "xformers":
                return "xformers is not installed; pip install 'texprior[xformers]'"
            return f"xformers is installed but cannot be imported: {error}"
        except (RuntimeError, OSError) as error:  # a build for another torch or CUDA
            return f"xformers is installed but cannot be imported: {error}".partition("\n")[0]
        return reason_against(self, "xformers' memory_efficient_attention", device, dtype)

    def __call__(self, query_BHND: Tensor, key_BHMD: Tensor, value_BHMD: Tensor) -> Tensor:
        """Attention of N queries over M keys, (B, heads, N, D); differentiable."""
        from xformers.ops import memory_efficient_attention

        width = query_BHND.shape[-1]
        q, k, v = (
            F.pad(t, (0, -width % ALIGNMENT)).transpose(1, 2).contiguous() for t in (query_BHND, key_BHMD, value_BHMD)
        )
        seen_BNHD: Tensor = memory_efficient_attention(q, k, v, scale=width**-0.5)
        return seen_BNHD[..., :width].transpose(1, 2)
