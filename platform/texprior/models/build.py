"""Builds the networks of a prior and of a model, with initial weights, on their device."""

from __future__ import annotations

import itertools
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from texprior.config.schema import Experiment, Sampling
from texprior.decompositions.structure_cache import SLOW, VERSION, CachedDecomposition, StructureCache
from texprior.diffusion.process import Process
from texprior.errors import ConfigError
from texprior.flow.adapt import DenoiserAdapter
from texprior.flow.decompose import Decomposer
from texprior.flow.predict import InitialPredictor
from texprior.flow.prior import DenoiserNet, SemanticEncoder
from texprior.flow.unfreeze import Unfrozen
from texprior.registry import Registry
from texprior.runtime.identity import program_digest
from texprior.runtime.session import Session


@dataclass(frozen=True)
class Prior:
    """A texture prior: the denoiser with its net S and its decomposition, and the texture's standard deviation."""

    experiment: Experiment
    network: DenoiserNet
    encoder: SemanticEncoder
    decomposition: Decomposer
    scale: float
    folder: Path
    sha256: str

    def describe(self, experiment: Experiment) -> Experiment:
        """An experiment of Stage II as it is on this prior: the parts of Stage I are the prior's own, and so is what
        was done to the condition that it was trained with."""
        parts = ("decomposition", "match_texture_std", "encoder", "denoiser")
        own = {part: getattr(self.experiment, part) for part in parts}
        condition = self.experiment.diffusion.model_dump(include={"condition_noise", "condition_blur", "alpha_max"})
        return experiment.model_copy(update={**own, "diffusion": experiment.diffusion.model_copy(update=condition)})


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


def to_device(module: Any, device: torch.device) -> Any:
    """A network on its device, with the channels last, which convolutions are faster with."""
    if not isinstance(module, nn.Module):
        return module
    return module.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def build_prior(session: Session, scale: float, folder: Path) -> Prior:
    """A prior with initial weights."""
    encoder = to_device(session.build("encoder"), session.device)
    network = session.build("denoiser", code_width=encoder.width, attention=build_attention(session))
    require_grid(session.experiment.sampling, network)
    return Prior(
        session.experiment,
        to_device(network, session.device),
        encoder,
        session.build("decomposition"),
        scale,
        folder,
        sha256="",
    )


def require_grid(settings: Sampling, network: DenoiserNet, predictor: InitialPredictor | None = None) -> None:
    """A tile's grid must be the whole picture's: tile and halo are multiples of every network's coarsest stride.

    Raises ConfigError where they are not.
    """
    strides = {"denoiser": max(block.stride for block in network.blocks().values())}
    strides |= {"predictor": predictor.stride} if predictor is not None else {}
    for (what, stride), name in itertools.product(strides.items(), ("tile", "halo")):
        length = getattr(settings, name)
        if length % stride:
            raise ConfigError(
                f"sampling.{name}: {length} px is no multiple of the {what}'s coarsest stride, {stride} px"
            )


def build_attention(session: Session) -> Any:
    """The attention backend, after it was tried on the session's device. Raises ConfigError where it does not work."""
    backend = session.build("attention")
    reason = backend.available(session.device, torch.float32)
    if reason:
        name = session.experiment.attention.name
        raise ConfigError(f"attention: '{name}' does not work on {session.device}: {reason}")
    return backend


def build_adapter(session: Session, prior: Prior) -> DenoiserAdapter:
    """An adapter with initial weights for the prior's denoiser. Raises ConfigError where they do not go together."""
    adapter: DenoiserAdapter = session.build("adapter", denoiser=prior.network)
    unfreeze = session.experiment.process.unfreeze
    return to_device(adapter if unfreeze == "none" else Unfrozen(adapter, prior.network, unfreeze), session.device)  # type: ignore[no-any-return]


def with_structure_cache(session: Session, prior: Prior) -> Prior:
    """The prior with the structures of its decomposition kept on disk if that is tagged slow; else as it is.

    The folder is ``TEXPRIOR_CACHE``, or ``cache`` beside the session's training folders; ``data.disk_cache_mb`` bounds
    it, and 0 turns it off.
    """
    ref, room_mb = prior.experiment.decomposition, session.experiment.data.disk_cache_mb
    entry = session.registry.find("decomposition", ref.name)
    if SLOW not in entry.component.tags or not room_mb:
        return prior
    root = Path(os.environ.get("TEXPRIOR_CACHE") or session.root / "cache")
    cache = StructureCache(root / "structures", room_mb * 2**20)
    about = {
        "decomposition": entry.qualified,
        "options": session.registry.options_of("decomposition", ref).model_dump(mode="json"),
    }
    identity = json.dumps(
        [VERSION, about, entry.plugin.version, program_digest(entry), torch.__version__], sort_keys=True
    )
    return replace(prior, decomposition=CachedDecomposition(prior.decomposition, cache, identity, about))


def count_parameters(network: nn.Module, trainable_only: bool = False) -> int:
    """Number of parameters."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad or not trainable_only)
