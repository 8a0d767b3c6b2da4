"""Trains copies of some of the prior's weights together with an adapter."""

from __future__ import annotations

from collections.abc import Collection

from torch import Tensor, nn
from torch.func import functional_call

from texprior.errors import ConfigError
from texprior.flow.adapt import DenoiserAdapter, Features, Given, keyed
from texprior.flow.prior import DenoiserNet, Network
from texprior.flow.tile import Tile
from texprior.plugin.origin import share_origin


class Unfrozen(DenoiserAdapter):
    """An adapter together with trained copies of some of the prior's weights.

    The prior's own tensors do not change. Before training, the result is the same as with the adapter alone. ``part``
    is ``norms`` (weights and biases of the normalisation layers) or ``last-block`` (all weights of the block that is
    visited last). Raises ConfigError if there is nothing to unfreeze.
    """

    def __init__(self, adapter: DenoiserAdapter, denoiser: DenoiserNet, part: str) -> None:
        super().__init__()
        if not adapter.runs_prior:
            raise ConfigError("process.unfreeze: the adapter trains all weights itself; set it to none")
        weights = dict(denoiser.named_parameters())
        self.adapter = adapter
        share_origin(self, adapter)
        self.paths = _paths(denoiser, part)
        self.copies = nn.ParameterDict(
            {keyed(path): nn.Parameter(weights[path].detach().clone()) for path in self.paths}
        )

    def features(self, estimate_BCHW: Tensor) -> Features:
        """Returns the features of the adapter."""
        return self.adapter.features(estimate_BCHW)

    def features_from(self, given: Given) -> Features:
        """Returns the features of the adapter."""
        return self.adapter.features_from(given)

    @property
    def sees_given(self) -> bool:
        """Whether the adapter sees more than the estimate."""
        return self.adapter.sees_given

    def of_tile(self, features: Features, tile: Tile, size: tuple[int, int], strides: Collection[int]) -> Features:
        """Returns the features of a tile, as the adapter cuts them."""
        return self.adapter.of_tile(features, tile, size, strides)

    def adapted(self, denoiser: DenoiserNet, features: Features) -> Network:
        """Returns the adapted denoiser, with the copies in the place of the prior's weights."""
        steered = _Steered(self.adapter, denoiser, features)

        def network(x: Tensor, c_noise: Tensor, condition: Tensor, code: Tensor) -> Tensor:
            copies = {f"denoiser.{path}": self.copies[keyed(path)] for path in self.paths}
            return functional_call(steered, copies, (x, c_noise, condition, code))  # type: ignore[no-any-return]

        return network


class _Steered(nn.Module):
    """An adapted network as a module that has only the denoiser's weights.

    ``functional_call`` needs such a module to replace these weights in a call.
    """

    def __init__(self, adapter: DenoiserAdapter, denoiser: DenoiserNet, features: Features) -> None:
        super().__init__()
        self.denoiser = denoiser
        # A tuple hides the network from nn.Module. The network may be the denoiser itself; registered under two names,
        # it would keep the copies after functional_call.
        self.networks = (adapter.adapted(denoiser, features),)

    def forward(self, x: Tensor, c_noise: Tensor, condition: Tensor, code: Tensor) -> Tensor:
        return self.networks[0](x, c_noise, condition, code)


def _paths(denoiser: DenoiserNet, part: str) -> list[str]:
    if part == "norms":
        inside = tuple(f"{path}." for path in denoiser.norms())
        missing = "normalisation layer with weights"
    else:
        inside = tuple(f"{path}." for path in list(denoiser.blocks())[-1:])
        missing = "block whose name is the path of a module"
    found = [path for path, _ in denoiser.named_parameters() if path.startswith(inside)]
    if not found:
        raise ConfigError(f"process.unfreeze: {part}: the denoiser has no {missing}")
    return found
