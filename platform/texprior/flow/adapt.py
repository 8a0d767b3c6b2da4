"""Defines adapters: small trained modules that steer the frozen prior by the initial estimate."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Literal, NamedTuple

from torch import Tensor, nn
from torch.func import functional_call

from texprior.errors import ConfigError
from texprior.flow.contract import require_tensor, require_type
from texprior.flow.prior import Block, DenoiserNet, Guide, Network, checked_network
from texprior.flow.tile import Tile

Features = Mapping[str, Any]
"""Values that depend only on the condition: tensors whose first dimension is the batch."""
Position = Literal["all", "encoder", "decoder", "middle"]
"""The part of the denoiser where an adapter acts."""


class Given(NamedTuple):
    """What an adapter may see of pictures, or of the part of them that is computed; pictures are (B, 3, H, W).

    All of it is derived from the degraded picture before sampling.
    """

    degraded: Tensor
    """The degraded picture y_d, in [0, 1]."""
    estimate: Tensor
    """The predictor's estimate y_eps, in [0, 1]."""
    condition: Tensor
    """What the denoiser gets beside the noised layer, with the noise that the prior was trained with, if any."""
    code: Tensor
    """The semantic code, (B, N, width)."""
    structure: Tensor | None = None
    """The structure of the estimate, blurred as the condition is, without its noise.

    None unless ``process.concat`` is ``initial-structure``.
    """

    def cut(self, tile: Tile) -> Given:
        """Returns what is given of a tile; the code stays."""
        return self._replace(
            degraded=tile.cut(self.degraded),
            estimate=tile.cut(self.estimate),
            condition=tile.cut(self.condition),
            structure=None if self.structure is None else tile.cut(self.structure),
        )


def bytes_of(features: object) -> int:
    """Returns the memory of all tensors in nested features, in bytes."""
    if isinstance(features, Tensor):
        # count the storage and not the view: a small view keeps its whole storage in memory
        return features.untyped_storage().nbytes()
    inner = features.values() if isinstance(features, Mapping) else features
    return sum(map(bytes_of, inner)) if isinstance(inner, Iterable) else 0


def repeated(features: Any, samples: int) -> Any:
    """Repeats nested features of one picture for a batch of its samples, without a copy."""
    if samples == 1:
        return features
    if isinstance(features, Mapping):
        return {name: repeated(inner, samples) for name, inner in features.items()}
    if type(features) in (list, tuple):
        return type(features)(repeated(inner, samples) for inner in features)
    batched = isinstance(features, Tensor) and features.ndim > 0 and len(features) == 1
    return features.expand(samples, *features.shape[1:]) if batched else features


class DenoiserAdapter(nn.Module, ABC):
    """The contract of an adapter, which is built as ``Impl(options, denoiser=...)`` from the frozen denoiser.

    You may store shapes and copies of the denoiser's weights, but not the denoiser itself. Do not change its tensors:
    several adapters can use the same prior. If your adapter cannot work with a denoiser, raise ConfigError when the
    adapter is built. Training changes only the adapter's own parameters; an adapter without parameters is not trained.
    """

    runs_prior = True
    """Whether ``adapted`` uses the frozen denoiser; False if the adapter's own weights do all the work."""

    def features(self, estimate_BCHW: Tensor) -> Features:
        """Computes the values that depend only on y_eps, (B, 3, H, W) in [0, 1].

        They are computed once per image, for any number of steps.
        """
        return {}

    def features_from(self, given: Given) -> Features:
        """Computes the values that depend only on what is derived from the degraded picture.

        By default ``features`` of the estimate. Override it if your adapter sees more; ``given.structure`` may be None.
        """
        return self.features(given.estimate)

    @property
    def sees_given(self) -> bool:
        """Whether it sees more than the estimate, that is, whether it overrides ``features_from``."""
        return type(self).features_from is not DenoiserAdapter.features_from

    def of_tile(self, features: Features, tile: Tile, size: tuple[int, int], strides: Collection[int]) -> Features:
        """Cuts the features of a whole picture to those of a tile, for an adapter that does not declare ``local``.

        The picture has ``size`` (height, width) px. Cuts every map (B, C, H/stride, W/stride) of a picture that is
        padded to a multiple of the largest of the strides, and keeps all other values. Override it if your features
        have another layout.
        """
        return {name: _cut(value, tile, size, strides) for name, value in features.items()}

    @abstractmethod
    def adapted(self, denoiser: DenoiserNet, features: Features) -> Network:
        """Returns the denoiser, steered for pictures with these features.

        Each step calls the result with its own inputs: x (B, 3, H, W), c_noise (B,), the condition (B, 3, H, W) and
        the code (B, N, width). The result returns F, (B, 3, H, W). Pass the condition on as it is: it has a fourth
        channel if the denoiser is told the noise level of the condition.
        """


class BlockAdapter(DenoiserAdapter):
    """An adapter that changes the outputs of basic denoising blocks, using only features and the noise level.

    It defines ``after_block``, or ``after_block_at`` if it needs the noise level.
    """

    def __init__(self, denoiser: DenoiserNet, position: Position = "all") -> None:
        super().__init__()
        self.block_of = blocks_at(denoiser, position)
        self.multiple = coarsest_stride(denoiser)
        """The denoiser pads the height and width of pictures to a multiple of this, px."""

    def after_block(self, block: str, hidden_BCHW: Tensor, features: Features) -> Tensor:
        """Returns h', which replaces the block's output h, (B, channels, H/stride, W/stride)."""
        raise NotImplementedError(f"{type(self).__name__} defines neither after_block nor after_block_at")

    def after_block_at(self, block: str, hidden_BCHW: Tensor, features: Features, noise_B: Tensor) -> Tensor:
        """Returns h' at a noise level, which the denoiser also gets: c_noise = ln(sigma) / 4, (B,).

        By default ``after_block``.
        """
        return self.after_block(block, hidden_BCHW, features)

    def guide(self, features: Features) -> Guide:
        """Returns the guide of a network call.

        The guide returns h' after the blocks where the adapter acts, and h after the others. An adapter that defines
        ``after_block_at`` has a guide at each noise level instead.
        """
        return self._guide("after_block", lambda block, h: self.after_block(block, h, features))

    def adapted(self, denoiser: DenoiserNet, features: Features) -> Network:
        """Returns the denoiser with the guide of these features."""
        if type(self).after_block_at is BlockAdapter.after_block_at:
            guide = self.guide(features)
            return lambda x, c_noise, condition, code: denoiser(x, c_noise, condition, code, guide)

        def network(x: Tensor, c_noise: Tensor, condition: Tensor, code: Tensor) -> Tensor:
            at = self._guide("after_block_at", lambda block, h: self.after_block_at(block, h, features, c_noise))
            return denoiser(x, c_noise, condition, code, at)  # type: ignore[no-any-return]

        return network

    def _guide(self, what: str, change: Guide) -> Guide:
        """Returns a guide that changes the outputs of the blocks where the adapter acts, and looks at the results."""

        def after(block: str, hidden_BCHW: Tensor) -> Tensor:
            found = change(block, hidden_BCHW)
            return require_tensor(self, found, hidden_BCHW.shape, hidden_BCHW, f"{what} of '{block}'", any_float=True)

        return lambda block, h: after(block, h) if block in self.block_of else h


class WeightAdapter(DenoiserAdapter):
    """An adapter that replaces weights of the prior for the length of a call.

    It sees y_eps only in the concatenated picture (option ``process.concat``).
    """

    @abstractmethod
    def weights(self, frozen: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Returns the replacement tensors by name. ``frozen`` has all tensors of the prior."""

    def adapted(self, denoiser: DenoiserNet, features: Features) -> Network:
        """Returns the denoiser with these weights."""

        def network(x: Tensor, c_noise: Tensor, condition: Tensor, code: Tensor) -> Tensor:
            # functional_call never writes to the prior, so an error in the call cannot leave changed weights behind;
            # the weights are computed in each call, since keeping them would cost a second set for each picture
            weights = self.weights(dict(denoiser.named_parameters()))
            return functional_call(denoiser, weights, (x, c_noise, condition, code))  # type: ignore[no-any-return]

        return network


def features_of(adapter: DenoiserAdapter, given: Given) -> Features:
    """Returns an adapter's features of pictures. Raises ContractError if they are no mapping."""
    features = adapter.features_from(given)
    method = "features_from" if adapter.sees_given else "features"
    require_type(adapter, features, Mapping, f"what {method} returns")
    return features


def steered(adapter: DenoiserAdapter, denoiser: DenoiserNet, features: Features) -> Network:
    """Returns the steered denoiser, whose results are looked at; see ``checked_network``."""
    return checked_network(adapter.adapted(denoiser, features), adapter)


def strides_of(denoiser: DenoiserNet) -> set[int]:
    """Returns the strides at which a denoiser's blocks, and so the maps of an adapter, may lie, px."""
    return {1, *(block.stride for block in denoiser.blocks().values())}


def _cut(value: Any, tile: Tile, size: tuple[int, int], strides: Collection[int]) -> Any:
    """Cuts the maps in nested features to a tile."""
    if isinstance(value, Mapping):
        return {name: _cut(inner, tile, size, strides) for name, inner in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_cut(inner, tile, size, strides) for inner in value)
    if not (isinstance(value, Tensor) and value.ndim == 4):
        return value
    coarsest = max(strides)
    for stride in strides:
        if value.shape[-2:] == tuple(_padded(length, coarsest) // stride for length in size):
            # a tile starts at a multiple of every stride, and its end is padded as the picture's is
            ends = [(part.start // stride, _padded(part.stop, coarsest) // stride) for part in tile.seen]
            return value[..., slice(*ends[0]), slice(*ends[1])]
    return value


def _padded(length: int, multiple: int) -> int:
    return length + -length % multiple


def blocks_at(denoiser: DenoiserNet, position: Position) -> dict[str, Block]:
    """Returns the blocks at a position, in the order of their visit.

    Raises ConfigError if there are none.
    """
    found = {name: b for name, b in denoiser.blocks().items() if position in ("all", b.part)}
    if not found:
        where = "" if position == "all" else f" at the position '{position}'"
        raise ConfigError(f"adapter: the denoiser has no basic denoising block{where}")
    return found


def within(denoiser: DenoiserNet, position: Position) -> Callable[[str], bool]:
    """Returns a test of whether a path is in a block at this position.

    The path is that of a module or parameter. The position ``all`` is the whole network.
    """
    if position == "all":
        return lambda _path: True
    # with the dot, since "down.1" is also the beginning of "down.10"
    prefixes = tuple(f"{name}." for name in blocks_at(denoiser, position))
    return lambda path: path.startswith(prefixes)


def coarsest_stride(denoiser: DenoiserNet) -> int:
    """Returns the largest stride of the denoiser's blocks, px; 1 if it has no blocks."""
    return max((b.stride for b in denoiser.blocks().values()), default=1)


def keyed(path: str) -> str:
    """Returns a parameter's path as a key for ``nn.ParameterDict``, which forbids dots."""
    return path.replace(".", "/")
