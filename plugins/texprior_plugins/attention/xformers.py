"""Computes attention with xformers (Lefaudeux et al. 2022), which an extra installs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from texprior_plugins.attention._probe import reason_against

if TYPE_CHECKING:
    from texprior.plugin import Options

ALIGNMENT = 8
"""The kernels of xformers need a multiple of this many channels per head."""


class Xformers:
    """Attention by ``memory_efficient_attention`` of xformers: softmax(q k^T / sqrt(D)) v.

    Pads the channels with zeros to a multiple of ``ALIGNMENT``. The library is imported when the backend is first tried
    or called, not when it is listed.
    """

    def __init__(self, options: Options) -> None:
        self.options = options

    def available(self, device: torch.device, dtype: torch.dtype) -> str:
        """Tries a small attention and its gradient on the device.

        Returns an empty string if both run, else the reason in a sentence.
        """
        try:
            import xformers.ops  # noqa: F401
        except ImportError as error:
            if error.name == "xformers":
                return "xformers is not installed; pip install 'texprior[xformers]'"
            return f"xformers is installed but cannot be imported: {error}"
        # a build for another version of torch or CUDA fails at import
        except (RuntimeError, OSError) as error:
            return f"xformers is installed but cannot be imported: {error}".partition("\n")[0]
        return reason_against(self, "xformers' memory_efficient_attention", device, dtype)

    def __call__(self, query_BHND: Tensor, key_BHMD: Tensor, value_BHMD: Tensor) -> Tensor:
        """Returns the attention of N queries over M keys, (B, heads, N, D). It is differentiable."""
        from xformers.ops import memory_efficient_attention

        # xformers needs the layout (B, N, heads, D). Zero channels add nothing to q k^T, but the scale must be that of
        # the true width.
        width = query_BHND.shape[-1]
        q, k, v = (
            F.pad(t, (0, -width % ALIGNMENT)).transpose(1, 2).contiguous() for t in (query_BHND, key_BHMD, value_BHMD)
        )
        seen_BNHD: Tensor = memory_efficient_attention(q, k, v, scale=width**-0.5)
        return seen_BNHD[..., :width].transpose(1, 2)
