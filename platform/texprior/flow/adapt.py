"""adapt: small trained modules that steer the frozen prior by the initial estimate."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

from torch import Tensor, nn
from torch.func import functional_call

from texprior.errors import ConfigError
from texprior.flow.prior import Block, DenoiserNet, Guide, Network

Features = Mapping[str, Any]
"""What depends only on the condition; tensors whose first dimension is the batch."""
Position = Literal["all", "encoder", "decoder", "middle"]
"""Where in the denoiser an adapter acts."""


def bytes_of(features: Any) -> int:
    """Memory of all tensors in features, however nested."""
    if isinstance(features, Tensor):
        return features.untyped_storage().nbytes()
    inner = features.values() if isinstance(features, Mapping) else features
    return sum(map(bytes_of, inner)) if isinstance(inner, Iterable) else 0


class DenoiserAdapter(nn.Module, ABC):
    """The contract of an adapter. Built as ``Impl(options, denoiser=...)`` from the frozen denoiser.

    It keeps shapes and copies of the denoiser, never the denoiser itself, and leaves its tensors as they are, so that
    any number of adapters may stand on one prior. What cannot work on a denoiser is a ConfigError when the adapter is
    built. Only its own parameters are trained; an adapter without any is not trained at all.
    """

    runs_prior = True
    """Whether the frozen denoiser takes part in ``adapted``; False where the adapter's own weights do all the work."""

    def features(self, estimate_BCHW: Tensor) -> Features:
        """What depends only on y_eps, (B, 3, H, W) in [0, 1]; computed once per image, whatever the steps."""
        return {}

    @abstractmethod
    def adapted(self, denoiser: DenoiserNet, features: Features) -> Network:
        """The denoiser as it is steered for pictures with these features.

        The result is called once a step with the inputs of that step: x (B, 3, H, W), c_noise (B,), the condition
        (B, 3, H, W) and the code (B, N, width); it returns F, (B, 3, H, W).
        """


class BlockAdapter(DenoiserAdapter):
    """An adapter that acts after basic denoising blocks, from features of y_eps alone."""

    def __init__(self, denoiser: DenoiserNet, position: Position = "all") -> None:
        super().__init__()
        self.block_of = blocks_at(denoiser, position)
        self.multiple = coarsest_stride(denoiser)
        """What the denoiser pads pictures to a multiple of, px."""

    @abstractmethod
    def after_block(self, block: str, hidden_BCHW: Tensor, features: Features) -> Tensor:
        """The block's output h, (B, channels, H/stride, W/stride), as it goes on: h'."""

    def guide(self, features: Features) -> Guide:
        """The guide of a network call: h' after the blocks where it acts, h after the others."""
        return lambda block, h: self.after_block(block, h, features) if block in self.block_of else h

    def adapted(self, denoiser: DenoiserNet, features: Features) -> Network:
        """The denoiser under the guide of these features."""
        guide = self.guide(features)
        return lambda x, c_noise, condition, code: denoiser(x, c_noise, condition, code, guide)


class WeightAdapter(DenoiserAdapter):
    """An adapter that puts other weights in the place of the prior's, for the length of a call.

    It sees y_eps through the concatenated picture alone (``process.concat``).
    """

    @abstractmethod
    def weights(self, frozen: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The tensors that take the place of the prior's, by name, from all of the prior's own, ``frozen``."""

    def adapted(self, denoiser: DenoiserNet, features: Features) -> Network:
        """The denoiser with these weights."""

        def network(x: Tensor, c_noise: Tensor, condition: Tensor, code: Tensor) -> Tensor:
            weights = self.weights(dict(denoiser.named_parameters()))
            return functional_call(denoiser, weights, (x, c_noise, condition, code))  # type: ignore[no-any-return]

        return network


def blocks_at(denoiser: DenoiserNet, position: Position) -> dict[str, Block]:
    """The blocks at a position, in the order of their visit. Raises ConfigError where there are none."""
    found = {name: b for name, b in denoiser.blocks().items() if position in ("all", b.part)}
    if not found:
        where = "" if position == "all" else f" at the position '{position}'"
        raise ConfigError(f"adapter: the denoiser has no basic denoising block{where}")
    return found


def within(denoiser: DenoiserNet, position: Position) -> Callable[[str], bool]:
    """Whether the module or parameter of a path lies in a block at a position; ``all`` is the whole network."""
    if position == "all":
        return lambda _path: True
    prefixes = tuple(f"{name}." for name in blocks_at(denoiser, position))
    return lambda path: path.startswith(prefixes)


def coarsest_stride(denoiser: DenoiserNet) -> int:
    """The largest stride of its blocks, px."""
    return max((b.stride for b in denoiser.blocks().values()), default=1)


def keyed(path: str) -> str:
    """A parameter's path as a name within an ``nn.ParameterDict``, where dots are forbidden."""
    return path.replace(".", "/")
