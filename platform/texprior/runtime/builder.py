"""Builds the components of one experiment on its device.

Initial weights are keyed by the experiment's seed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from texprior.config.schema import Experiment
from texprior.errors import ConfigError
from texprior.plugin.references import refs_of
from texprior.plugin.typed_kind import ComponentKind, T
from texprior.registry import Registry
from texprior.runtime.team import own_device

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Builder:
    """Builds networks and data sets from a resolved experiment.

    It holds the experiment and the registry of its components.
    """

    experiment: Experiment
    registry: Registry

    @property
    def device(self) -> torch.device:
        """The experiment's device.

        ``auto`` is the GPU if there is one. Raises ConfigError if the device is missing.
        """
        import torch

        name = self.experiment.device
        if name == "auto":
            name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        device = torch.device(own_device(name))
        if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
            raise ConfigError(f"device: {name} is not there; this machine has {torch.cuda.device_count()} CUDA devices")
        if device.type == "mps" and not torch.backends.mps.is_available():
            raise ConfigError("device: mps is not there on this machine")
        return device

    def build(self, kind: ComponentKind[T], path: str = "", **context: object) -> T:
        """Builds the component at a dotted path of the experiment.

        By default the path is the kind's name. Raises ConfigError if the experiment names no component of the kind
        there.
        """
        wanted = path or kind.name
        for found, of, ref in refs_of(self.experiment):
            if found == wanted and of == kind.name:
                return self.registry.build(kind, ref, seed=self.experiment.seed, **context)
        raise ConfigError(f"{wanted}: the experiment names no component there")
