"""Builds the networks of a prior and of a model.

The networks have initial weights and are on their device.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from texprior.config.schema import Experiment, Sampling
from texprior.decompositions.structure_cache import VERSION, CachedDecomposition, Lookup, StructureCache
from texprior.diffusion.process import Process
from texprior.errors import ConfigError
from texprior.flow.adapt import DenoiserAdapter
from texprior.flow.decompose import Decomposer
from texprior.flow.kinds import ADAPTER, ATTENTION, DECOMPOSITION, DENOISER, ENCODER, PREDICTOR, PROCESS
from texprior.flow.predict import InitialPredictor
from texprior.flow.prior import AttentionBackend, DenoiserNet, SemanticEncoder, try_attention
from texprior.flow.process import DiffusionProcess
from texprior.flow.unfreeze import Unfrozen
from texprior.models.stage_one import with_stage_one_of
from texprior.plugin import Decomposition
from texprior.plugin.added import DIGEST
from texprior.plugin.typed_kind import ComponentKind
from texprior.registry import Registry
from texprior.runtime.builder import Builder
from texprior.runtime.memory import device_memory
from texprior.runtime.program import program_digest

T = TypeVar("T")


@dataclass(frozen=True)
class Prior:
    """A texture prior: its denoiser and the texture's standard deviation.

    The denoiser comes with its net S, its decomposition, and the process that it learned.
    """

    experiment: Experiment
    network: DenoiserNet
    encoder: SemanticEncoder
    decomposition: Decomposer
    process: DiffusionProcess
    scale: float
    """The layer's standard deviation, in units of the picture; the diffused layer is divided by it."""
    folder: Path
    sha256: str
    """The hash of its weights file; empty for a prior with initial weights."""

    def __repr__(self) -> str:
        return f"Prior({self.folder}, {count_parameters(self.network):,} parameters)"

    def describe(self, experiment: Experiment) -> Experiment:
        """Returns an experiment of Stage II with the prior's own Stage I settings.

        The prior's settings replace those of the experiment; see ``stage_one``.
        """
        return with_stage_one_of(experiment, self.experiment)


@dataclass(frozen=True)
class Model:
    """A restoration model: predictor and adapter on a frozen prior."""

    experiment: Experiment
    prior: Prior
    predictor: InitialPredictor
    adapter: DenoiserAdapter
    process: Process
    folder: Path
    registry: Registry

    def __repr__(self) -> str:
        return f"Model({self.folder}, adapter of {count_parameters(self.adapter):,} parameters)"


def to_device(module: T, device: torch.device) -> T:
    """Moves a network to a device, with its channels last.

    Returns anything that is not a network as it is.
    """
    if isinstance(module, nn.Module):
        # channels_last makes convolutions about a third faster on the CPU, and uses tensor cores on a GPU
        module.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return module


def build_prior(builder: Builder, scale: float, folder: Path) -> Prior:
    """Builds a prior with initial weights.

    Raises ConfigError if tile and halo do not fit its networks.
    """
    experiment, device = builder.experiment, builder.device
    encoder = to_device(builder.build(ENCODER), device)
    attention = build_attention(builder)
    context: dict[str, Any] = {"code_width": encoder.width, "attention": attention}
    # only if it is wanted: denoisers that do not declare it are built without
    context |= {"condition_level": True} if experiment.diffusion.condition_noise_max else {}
    _require_room(builder, DENOISER, **context)
    network = builder.build(DENOISER, **context)
    require_grid(experiment.sampling, network)
    decomposition, process = builder.build(DECOMPOSITION), builder.build(PROCESS, "diffusion.process")
    return Prior(experiment, to_device(network, device), encoder, decomposition, process, scale, folder, sha256="")


def build_predictor(builder: Builder) -> InitialPredictor:
    """Builds an initial predictor with initial weights."""
    _require_room(builder, PREDICTOR)
    return to_device(builder.build(PREDICTOR), builder.device)


def build_adapter(builder: Builder, prior: Prior) -> DenoiserAdapter:
    """Builds an adapter with initial weights for the prior's denoiser.

    Raises ConfigError if the adapter cannot work on this denoiser.
    """
    adapter = builder.build(ADAPTER, denoiser=prior.network)
    unfreeze = builder.experiment.process.unfreeze
    whole = adapter if unfreeze == "none" else Unfrozen(adapter, prior.network, unfreeze)
    return to_device(whole, builder.device)


def build_attention(builder: Builder) -> AttentionBackend:
    """Builds the attention backend and tries it on the device.

    Raises ConfigError if it does not work there.
    """
    backend = builder.build(ATTENTION)
    reason = backend.available(builder.device, torch.float32)
    if reason:
        name = builder.experiment.attention.name
        raise ConfigError(f"attention: '{name}' does not work on {builder.device}: {reason}")
    try_attention(backend, builder.device)
    return backend


def _require_room(builder: Builder, kind: ComponentKind[Any], **context: Any) -> None:
    """Raises ConfigError if the parameters of a network need more memory than the device has."""
    there = device_memory(builder.device)
    # A network on this device has shapes, but no memory. One that cannot be built like this is not reckoned.
    try:
        with torch.device("meta"):
            network = builder.build(kind, **context)
    except Exception:
        return
    parameters = network.parameters() if isinstance(network, nn.Module) else ()
    needed = sum(p.numel() * p.element_size() for p in parameters)
    if there is not None and needed > there:
        raise ConfigError(
            f"{kind.name}: its parameters need {needed / 2**30:,.1f} GB of memory, and {builder.device} has "
            f"{there / 2**30:,.1f} GB; lower its width, its levels or its blocks"
        )


def require_grid(settings: Sampling, network: DenoiserNet, predictor: InitialPredictor | None = None) -> None:
    """Raises ConfigError unless tile and halo are multiples of every network's grid.

    Only then is the grid of a tile the grid of the whole picture.
    """
    grids = {"denoiser": network.grid()}
    grids |= {"predictor": predictor.stride} if predictor is not None else {}
    for (what, grid), name in itertools.product(grids.items(), ("tile", "halo")):
        length = getattr(settings, name)
        if length % grid:
            raise ConfigError(f"sampling.{name}: {length} px is no multiple of the {what}'s grid, {grid} px")


def with_structure_cache(prior: Prior, registry: Registry, folder: Path, room_mb: int) -> Prior:
    """Returns the prior with its decomposition's structures kept on disk.

    It keeps them only if the decomposition's record says ``slow``. The files are in ``structures`` below ``folder`` and
    take at most ``room_mb``; 0 keeps none.
    """
    ref = prior.experiment.decomposition
    entry = registry.find("decomposition", ref.name)
    slow = isinstance(entry.component, Decomposition) and entry.component.slow
    known = cache_identity(registry, prior.experiment, "decomposition") if slow and room_mb else None
    if known is None:
        return prior
    lookup = Lookup(disk_cache(folder, room_mb), *known)
    return replace(prior, decomposition=CachedDecomposition(prior.decomposition, lookup))


def disk_cache(folder: Path, room_mb: int) -> StructureCache:
    """Returns the cache of what is derived from photographs, ``structures`` below the folder of caches."""
    return StructureCache(folder / "structures", room_mb * 2**20)


def cache_identity(registry: Registry, experiment: Experiment, path: str) -> tuple[str, dict[str, Any]] | None:
    """Returns what decides the results of a component besides its input and its weights, and a record for the header.

    Includes the components that it consists of. Returns None if the results cannot be found again.
    """
    parts = [(kind, ref) for at, kind, ref in registry.components_of(experiment) if f"{at}.".startswith(f"{path}.")]
    entries = [registry.find(kind, ref.name) for kind, ref in parts]
    # a component without a file has another digest in each process
    if any(entry.plugin.token for entry in entries):
        return None
    options = registry.options_of(*parts[0]).model_dump(mode="json", context=dict(DIGEST))
    about = {path: entries[0].qualified, "options": options}
    # another processor may round otherwise, and machines may share the folder
    machine = torch.__version__, torch.backends.cpu.get_cpu_capability()
    return json.dumps([VERSION, about, [program_digest(entry) for entry in entries], machine], sort_keys=True), about


def count_parameters(network: nn.Module, trainable_only: bool = False) -> int:
    """Counts the parameters of a network."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad or not trainable_only)
