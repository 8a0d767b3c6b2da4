"""Keeps what a training's frozen components make of photographs on disk, for the next training, trial or arm.

See ``decompositions.structure_cache``. Each component is wrapped by one that looks on disk first. The results are the
same to the bit, so that a training does not depend on what is there.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

import torch
from torch import Tensor, nn

from texprior.config.schema import Experiment
from texprior.decompositions.structure_cache import CachedDecomposition, Lookup
from texprior.flow.degrade import Degrader
from texprior.flow.predict import InitialPredictor
from texprior.flow.prior import SemanticEncoder
from texprior.models.build import Prior, cache_identity, disk_cache
from texprior.plugin.origin import share_origin
from texprior.runtime.session import Session


class KeptEncoder(SemanticEncoder):
    """A net S whose codes are kept on disk."""

    def __init__(self, encoder: SemanticEncoder, lookup: Lookup) -> None:
        super().__init__()
        self.encoder, self.lookup = encoder, lookup
        self.width, self.tokens, self.map_stride = encoder.width, encoder.tokens, encoder.map_stride
        share_origin(self, encoder)

    def forward(self, image_BCHW: Tensor) -> Tensor:
        """Returns the semantic code, (B, tokens, width)."""
        return self.lookup.each(image_BCHW, self.encoder)

    def map(self, image_BCHW: Tensor) -> Tensor:
        """Returns the map, (B, width, h, w)."""
        # under the same key as a code: one encoder is asked for either codes or maps
        return self.lookup.each(image_BCHW, self.encoder.map)


class KeptPredictor(InitialPredictor):
    """A frozen predictor whose estimates are kept on disk."""

    def __init__(self, predictor: InitialPredictor, lookup: Lookup) -> None:
        super().__init__()
        self.predictor, self.lookup, self.stride = predictor, lookup, predictor.stride
        share_origin(self, predictor)

    def forward(self, degraded_BCHW: Tensor) -> Tensor:
        """Returns the estimate, (B, 3, H, W), unclipped."""
        return self.lookup.each(degraded_BCHW, self.predictor)

    def loss(self, estimate_BCHW: Tensor, clean_BCHW: Tensor) -> Tensor:
        """Returns the predictor's own loss, (B,)."""
        return self.predictor.loss(estimate_BCHW, clean_BCHW)


class KeptDegradation:
    """A degradation whose pictures are kept on disk, under the state of the generator that they are drawn from."""

    def __init__(self, degradation: Degrader, lookup: Lookup) -> None:
        self.degradation, self.lookup = degradation, lookup
        share_origin(self, degradation)

    def __call__(self, image_CHW: Tensor, rng: torch.Generator) -> Tensor:
        state = hashlib.sha256(rng.get_state().numpy().data).hexdigest()
        return self.lookup.one(image_CHW, lambda: self.degradation(image_CHW, rng), state)


def kept_prior(session: Session, prior: Prior) -> Prior:
    """Returns the prior with its decomposition and its net S kept on disk."""
    kept, lookup = prior, _lookup(session, prior.experiment, "decomposition")
    if lookup is not None:
        kept = replace(kept, decomposition=CachedDecomposition(prior.decomposition, lookup))
    # without a width there is no code to keep
    lookup = _lookup(session, prior.experiment, "encoder", prior.encoder) if prior.encoder.width else None
    return kept if lookup is None else replace(kept, encoder=KeptEncoder(prior.encoder, lookup))


def kept_predictor(session: Session, predictor: InitialPredictor) -> InitialPredictor:
    """Returns the frozen predictor with its estimates kept on disk."""
    lookup = _lookup(session, session.experiment, "predictor", predictor)
    return predictor if lookup is None else KeptPredictor(predictor, lookup).eval().requires_grad_(False)


def kept_degradation(session: Session, degradation: Degrader) -> Degrader:
    """Returns the degradation with its pictures kept on disk."""
    lookup = _lookup(session, session.experiment, "degradation")
    return degradation if lookup is None else KeptDegradation(degradation, lookup)


def _lookup(session: Session, experiment: Experiment, path: str, network: nn.Module | None = None) -> Lookup | None:
    """Returns the lookup of a component; None if nothing is kept, or its results could not be found again."""
    room_mb = session.experiment.data.disk_cache_mb
    known = cache_identity(session.registry, experiment, path) if room_mb else None
    if known is None:
        return None
    identity, about = known
    # a component without weights may draw when it is built, which the seed decides
    weights = _weights_digest(network) if network is not None else f"seed {experiment.seed}" * (path == "degradation")
    return Lookup(disk_cache(session.cache_folder, room_mb), f"{identity} {weights}", about)


def _weights_digest(network: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, tensor in network.state_dict().items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
        digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()
