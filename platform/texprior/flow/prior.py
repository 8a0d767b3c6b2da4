"""prior: the denoiser that knows textures, the frozen net S that tells it what it looks at, and its attention."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from texprior.diffusion.precondition import denoise
from texprior.errors import ConfigError

Guide = Callable[[str, Tensor], Tensor]
"""Called with a basic denoising block's name and its output, (B, C, H, W); returns what goes on."""
Network = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""F as preconditioning calls it, adapted or not: (x, c_noise, condition, code) -> (B, 3, H, W)."""


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
    """``encoder``, ``middle`` or ``decoder``; encoder and middle are visited before the decoder."""
    skip: bool = False
    """Whether its output also reaches the decoder by a skip connection."""
    closing: str = ""
    """The convolution or linear layer that ends its residual branch, below the block's path; its input is the block's
    inner activation. Empty where there is none."""


class DenoiserNet(nn.Module, ABC):
    """The contract of a denoiser: the network F inside the preconditioning. Built as
    ``Impl(options, code_width=..., attention=...)``; its output is zero at initialisation.

    What it declares beside its blocks serves the adapters that need it; they say so where it is missing.
    """

    code_width: int
    """Channels of a token of the code that it was built for; 0 where there is no code."""

    @abstractmethod
    def blocks(self) -> dict[str, Block]:
        """The basic denoising blocks in the order of their visit, each by the path of its module."""

    @abstractmethod
    def forward(
        self,
        x_BCHW: Tensor,
        noise_B: Tensor,
        condition_BCHW: Tensor,
        code_BNC: Tensor,
        guide: Guide = unguided,
        skip: Guide = unguided,
    ) -> Tensor:
        """F(x, c_noise; condition, code), (B, 3, H, W), for any size.

        ``condition`` is the picture that is concatenated (y_s in Stage I), (B, 3, H, W) in [0, 1];
        ``guide`` is called exactly once after every block. ``skip`` is called exactly once with the output of every
        block that declares a skip connection (after the guide), and returns what the decoder sees of it.
        """

    def attentions(self) -> dict[str, tuple[str, ...]]:
        """Attention layers by path, with the paths of their projections to keys and values; none by default."""
        return {}

    def norms(self) -> dict[str, nn.Module]:
        """Normalisation layers by path; by default every module whose weight has one dimension."""
        weights = {name: getattr(module, "weight", None) for name, module in self.named_modules()}
        return {n: self.get_submodule(n) for n, w in weights.items() if isinstance(w, Tensor) and w.ndim == 1}

    def fresh(self) -> DenoiserNet:
        """The same network with initial weights, drawn from the global random state.

        Raises ConfigError where a denoiser does not say how it is made again.
        """
        raise ConfigError(f"denoiser: {type(self).__name__} does not say how it is made again (fresh)")


def prior_denoise(
    network: Network, x_BCHW: Tensor, sigma_B: Tensor, condition_BCHW: Tensor, code_BNC: Tensor
) -> Tensor:
    """D(x, sigma): the estimate of the clean layer, (B, 3, H, W), by the prior or by an adapted network."""
    return denoise(lambda x, c_noise: network(x, c_noise, condition_BCHW, code_BNC), x_BCHW, sigma_B)
