"""Defines the prior: the denoiser of textures, the frozen net S, and the attention backend.

Net S is a semantic encoder: its code tells the denoiser what the picture shows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from texprior.diffusion.precondition import Enter, denoise, scaled
from texprior.errors import ConfigError
from texprior.flow.contract import require_finite, require_tensor
from texprior.flow.precision import full_float32
from texprior.flow.tile import Part

Guide = Callable[[str, Tensor], Tensor]
"""Called with a basic denoising block's name and output, (B, C, H, W); returns the output to continue with."""
Network = Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]
"""F as preconditioning calls it, adapted or not: (x, c_noise, condition, code) -> (B, 3, H, W)."""


def unguided(_block: str, hidden_BCHW: Tensor) -> Tensor:
    """Returns the output unchanged: the guide of a prior without adapter."""
    return hidden_BCHW


class AttentionBackend(Protocol):
    """The contract of an attention backend, which is built as ``Impl(options)``."""

    def available(self, device: torch.device, dtype: torch.dtype) -> str:
        """Returns "" if the backend works on the device, otherwise the reason in a sentence.

        To find out, run the backend once on the device.
        """
        ...

    def __call__(self, query_BHND: Tensor, key_BHMD: Tensor, value_BHMD: Tensor) -> Tensor:
        """Returns softmax(q k^T / sqrt(D)) v, (B, heads, N, D); differentiable."""
        ...


class SemanticEncoder(nn.Module, ABC):
    """The contract of net S, which is built as ``Impl(options)``; it has no trainable parameters."""

    width: int
    """Channels of a token; 0 if there is no code."""
    tokens: int
    """Tokens per picture, the same for every size of picture."""
    map_stride: int = 0
    """Pixels of the picture per position of ``map``; 0 if there is no map.

    Without a map, all parts of a picture share the code of the whole. With one, each part gets ``tokens`` tokens of its
    own place, a square number of them: ``map`` is cut to the part and averaged to a grid, in row-major order.
    """

    @abstractmethod
    def forward(self, image_BCHW: Tensor) -> Tensor:
        """Returns the semantic code, (B, tokens, width), of whole pictures in [0, 1]."""

    def of_parts(self, part: Part, height: int, width: int) -> Tensor:
        """Returns the same code of a large picture that is read a part at a time.

        Reads the whole picture at once. Override it if you can do with less memory.
        """
        code: Tensor = self(part(slice(0, height), slice(0, width)))
        return code

    def map(self, image_BCHW: Tensor) -> Tensor:
        """Returns the map of whole pictures in [0, 1], (B, width, ceil(H / map_stride), ceil(W / map_stride)).

        It is asked for if ``map_stride`` is not 0.
        """
        raise NotImplementedError(f"{type(self).__name__} has map_stride {self.map_stride}, but does not define map")

    def map_of_parts(self, part: Part, height: int, width: int) -> Tensor:
        """Returns the same map of a large picture that is read a part at a time; see ``of_parts``."""
        return self.map(part(slice(0, height), slice(0, width)))


@torch.no_grad()
def encode(image_BCHW: Tensor, encoder: SemanticEncoder) -> Tensor:
    """Returns the semantic code of whole pictures, (B, tokens, width), or the map of an encoder that has one.

    It is computed in full float32, so that a GPU gives the code of the CPU up to rounding. Raises ContractError if the
    code does not have the declared size.
    """
    with full_float32():
        code = encoder.map(image_BCHW) if encoder.map_stride else encoder(image_BCHW)
    return _checked_code(code, image_BCHW, image_BCHW.shape[-2:], encoder)


@torch.no_grad()
def encode_parts(part: Part, height: int, width: int, encoder: SemanticEncoder) -> Tensor:
    """Returns the semantic code of a picture that is read a part at a time; otherwise as ``encode``."""
    with full_float32():
        read = encoder.map_of_parts if encoder.map_stride else encoder.of_parts
        code = read(part, height, width)
    return _checked_code(code, part(slice(0, 1), slice(0, 1)), (height, width), encoder)


def _checked_code(code: object, like_BCHW: Tensor, size: Sequence[int], encoder: SemanticEncoder) -> Tensor:
    if not encoder.map_stride:
        return require_tensor(encoder, code, (len(like_BCHW), encoder.tokens, encoder.width), like_BCHW, "the code")
    declared = (len(like_BCHW), encoder.width, *(-(-length // encoder.map_stride) for length in size))
    return require_tensor(encoder, code, declared, like_BCHW, "the map")


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
    """Path, relative to the block, of the convolution or linear layer that ends its residual branch.

    The input of this layer is the block's inner activation. Empty if there is no such layer.
    """


class DenoiserNet(nn.Module, ABC):
    """The contract of a denoiser: the network F inside the preconditioning.

    It is built as ``Impl(options, code_width=..., attention=...)``. Its output must be zero at initialisation. If the
    record says ``condition_level=True``, it may also be built with ``condition_level=True``: see ``forward``.

    Some adapters need more than ``blocks``: ``attentions``, ``norms``, ``fresh``, or fields of ``Block``. If something
    is missing, the adapter reports it when it is built.
    """

    code_width: int
    """Channels of a token of the code that the denoiser was built for; 0 if there is no code."""

    @abstractmethod
    def blocks(self) -> dict[str, Block]:
        """Returns the basic denoising blocks by module path, in the order of their visit."""

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
        """Returns F(x, c_noise; condition, code), (B, 3, H, W), for pictures of any size.

        ``condition`` is the picture that is concatenated (y_s in Stage I), (B, 3, H, W) in [0, 1]. Call ``guide``
        exactly once after every block. For every block that declares a skip connection, call ``skip`` exactly once
        with the block's output (after the guide); it returns the tensor that the decoder gets through the connection.

        A network that was built with ``condition_level=True`` gets a condition with a fourth channel: the standard
        deviation of the noise on it, the same at all places. Without this channel the level is 0. See
        ``flow.condition.split_level``.
        """

    def attentions(self) -> dict[str, tuple[str, ...]]:
        """Returns attention layers by path, with the paths of their projections to keys and values.

        There are none by default.
        """
        return {}

    def grid(self) -> int:
        """Returns the grid of the network, px: a tile that begins at a multiple of it agrees with the whole picture.

        By default the coarsest stride of the blocks. Override it if the network also cuts its maps, as into windows.
        It must be a multiple of every stride.
        """
        return max((block.stride for block in self.blocks().values()), default=1)

    def norms(self) -> dict[str, nn.Module]:
        """Returns normalisation layers by path; by default every module whose weight has one dimension."""
        weights = {name: getattr(module, "weight", None) for name, module in self.named_modules()}
        return {n: self.get_submodule(n) for n, w in weights.items() if isinstance(w, Tensor) and w.ndim == 1}

    def fresh(self) -> DenoiserNet:
        """Creates the same network with initial weights, drawn from the global random state.

        Raises ConfigError if the denoiser does not implement this method.
        """
        raise ConfigError(f"denoiser: {type(self).__name__} does not implement fresh, which creates the network again")


def checked_network(network: Network, component: object) -> Network:
    """Returns the network with a look at each result, (B, 3, H, W) like x.

    A result of another shape or device raises ContractError, which names the component that made the network. In half
    precision the dtype may be another one.
    """

    def call(x: Tensor, c_noise: Tensor, condition: Tensor, code: Tensor) -> Tensor:
        found = network(x, c_noise, condition, code)
        return require_tensor(component, found, x.shape, x, "the result of a network call", any_float=True)

    return call


@torch.no_grad()
def try_attention(backend: AttentionBackend, device: torch.device) -> None:
    """Attends once to random tokens. Raises ContractError if the result is not one value for each query.

    Later results enter the denoiser and not the platform, so they are not looked at.
    """
    query, key, value = (torch.rand(1, 2, tokens, 8, device=device) for tokens in (3, 5, 5))
    found = require_tensor(backend, backend(query, key, value), query.shape, query, "the result of attention")
    require_finite(backend, found, "the result of attention")


def prior_denoise(
    network: Network,
    x_BCHW: Tensor,
    sigma_B: Tensor,
    condition_BCHW: Tensor,
    code_BNC: Tensor,
    enter: Enter = scaled,
) -> Tensor:
    """Returns D(x, sigma), the estimate of the clean layer, (B, 3, H, W).

    ``network`` is the prior or an adapted network, and ``enter`` what its process gives it in place of x.
    """
    return denoise(lambda x, c_noise: network(x, c_noise, condition_BCHW, code_BNC), x_BCHW, sigma_B, enter)
