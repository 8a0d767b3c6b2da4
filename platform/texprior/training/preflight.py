"""What cannot work together, said before anything is trained."""

from __future__ import annotations

import itertools
from pathlib import Path

import torch
from torch import Tensor

from texprior.config import with_overrides
from texprior.config.schema import Experiment, Training
from texprior.diffusion.keys import generator
from texprior.diffusion.process import Process
from texprior.flow.decompose import decompose
from texprior.flow.predict import InitialPredictor
from texprior.models.build import Model, Prior, build_adapter, build_prior, require_grid, to_device
from texprior.models.folders import load_prior
from texprior.pipeline import restore
from texprior.runtime.session import Session
from texprior.training.losses import LayerLoss, prediction_loss
from texprior.training.patches import Patches, Pool, Prepared


def prior_at(folder: Path | None, session: Session) -> Prior:
    """The trained prior in a folder or, where none is given, the experiment's own with initial weights; frozen."""
    prior = load_prior(folder, session.registry, session) if folder else build_prior(session, 1.0, Path())
    prior.network.requires_grad_(False).eval()
    return prior


def require_adapters(session: Session, prior: Path | None) -> None:
    """Builds the experiment's adapter, or every one that its sweep may choose, and forgets them.

    Raises ConfigError where one of them cannot work on the denoiser of the prior (see ``prior_at``).
    """
    standing_on, space = prior_at(prior, session), session.experiment.sweep.space
    choices = {path: space[path] for path in ("adapter", "process.unfreeze") if isinstance(space.get(path), list)}
    for values in itertools.product(*choices.values()):
        chosen = with_overrides(session.experiment, dict(zip(choices, values, strict=True)), session.registry)
        build_adapter(session.with_(experiment=chosen), standing_on)


_PICTURES = ("picture", "structure", "clean", "degraded", "estimate", "base", "condition")


def rehearse_training(session: Session) -> None:
    """Builds all that an experiment names and sends one random patch through it, forwards and back; keeps nothing.

    What cannot work raises here, in seconds, instead of hours later.
    """
    experiment, trainings = session.experiment, session.experiment.training
    prior = build_prior(session, 1.0, Path())
    predictor: InitialPredictor = to_device(session.build("predictor"), session.device)
    require_grid(experiment.sampling, prior.network, predictor)
    side = trainings.adapter.patch
    patch = torch.rand(1, 3, side, side, generator=generator(0, "rehearsal"))
    with torch.random.fork_rng():
        decompose(patch.to(session.device), prior.decomposition)
        _backward(layer_loss(experiment, prior, trainings.prior).stage_one([0]))
        if predictor.needs_training:
            _backward(
                prediction_loss(predictor, random_patches(prior, trainings.predictor), trainings.predictor.amp, [0])
            )
        prior.network.requires_grad_(False)
        adapter = build_adapter(session, prior)
        _backward(layer_loss(experiment, prior, trainings.adapter).stage_two(adapter, [0]))
        restore(
            Model(experiment, prior, predictor, adapter, Process(1.0), Path(), session.registry), patch, "rehearsal"
        )


def rehearse_sampling(session: Session, model: Model) -> None:
    """Restores one random patch with a trained model, sampled as the session's experiment says; keeps nothing."""
    patch = torch.rand(1, 3, 64, 64, generator=generator(0, "rehearsal"))
    with torch.random.fork_rng():
        restore(model, patch.to(session.device), "rehearsal", session.experiment.sampling)


def layer_loss(experiment: Experiment, prior: Prior, settings: Training) -> LayerLoss:
    """Builds the layer loss of a training on random pictures."""
    return LayerLoss(experiment, prior, Process(prior.scale), random_patches(prior, settings), settings.amp)


def _backward(loss: Tensor) -> None:
    if loss.requires_grad:  # an adapter may have nothing to train
        loss.sum().backward()  # type: ignore[no-untyped-call]


def random_patches(prior: Prior, settings: Training) -> Patches:
    """Random pictures of a patch's size, with everything that any stage asks for."""

    def prepare(key: str) -> Prepared:
        def rng(part: str) -> torch.Generator:
            return generator(0, "dry run", key, part)

        size = (3, settings.patch, settings.patch)
        pictures: dict[str, Tensor] = {name: torch.rand(size, generator=rng(name)) for name in _PICTURES}
        return {**pictures, "code": torch.rand(prior.encoder.tokens, prior.encoder.width, generator=rng("code"))}

    return Patches(Pool(["0", "1"], prepare, cache_mb=64), settings.patch, seed=0)
