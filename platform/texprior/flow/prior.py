"""prior: the denoiser that knows textures, the frozen net S that tells it what it looks at, and its attention."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from texprior.diffusion.precondition import denoise

Guide = Callable[[str, Tensor], Tensor]
"""Called after each basic denoising block with its name and output, (B, C, H, W); returns what goes on."""


def unguided(_block: str, hidden_BCHW: Tensor) -> Tensor:
    """The guide of a prior without adapter."""
    return hidden_BCHW


class AttentionBackend(Protocol):
    """The contract of an attention backend. Built as ``Impl(options)``."""

    def available(self, device: torch.device, dtype: torch.dtype) -> str:
        """Empty where the backend works on the device (found by running it once), else the reason in a sentence."""
        ...

    def __call__(self, query_BHND: Tensor, key_BHMD: Tensor, value_BHMD: Tensor) -> Tensor:
        """softmax(q k^T / sqrt(D)) v, (B, heads, N, D); differentiable."""
        ...


class SemanticEncoder(nn.Module, ABC):
    """The contract of net S: frozen, it has no trainable parameter. Built as ``Impl(options)``."""

    width: int
    """Channels of a token; 0 where there is no code."""
    tokens: int
    """Tokens per picture, whatever its size."""

    @abstractmethod
    def forward(self, image_BCHW: Tensor) -> Tensor:
        """The semantic code of whole pictures in [0, 1], (B, tokens, width)."""


class Block(NamedTuple):
    """A basic denoising block as an adapter sees it."""

    channels: int
    stride: int
    """Pixels of the picture per position of the block's output."""
    part: str
    """``encoder``, ``middle`` or ``decoder``."""


class DenoiserNet(nn.Module, ABC):
    """The contract of a denoiser: the network F inside the preconditioning. Built as
    ``Impl(options, code_width=..., attention=...)``; its output is zero at initialisation."""

    @abstractmethod
    def blocks(self) -> dict[str, Block]:
        """The basic denoising blocks by name, in the order of their visit."""

    @abstractmethod
    def forward(
        self, x_BCHW: Tensor, noise_B: Tensor, condition_BCHW: Tensor, code_BNC: Tensor, guide: Guide = unguided
    ) -> Tensor:
        """F(x, c_noise; condition, code), (B, 3, H, W), for any size.

        ``condition`` is the picture that is concatenated (y_s in Stage I), (B, 3, H, W) in [0, 1];
        ``guide`` is called exactly once after every block.
        """


def prior_denoise(
    network: DenoiserNet,
    x_BCHW: Tensor,
    sigma_B: Tensor,
    condition_BCHW: Tensor,
    code_BNC: Tensor,
    guide: Guide = unguided,
) -> Tensor:
    """D(x, sigma): the prior's estimate of the clean layer, (B, 3, H, W)."""
    return denoise(lambda x, c_noise: network(x, c_noise, condition_BCHW, code_BNC, guide), x_BCHW, sigma_B)
