"""Pre-flight checks: they raise before training if components cannot work together."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from texprior.config import with_overrides
from texprior.config.combinations import process_faults
from texprior.config.schema import Experiment, Training
from texprior.config.validation import raise_complaints
from texprior.diffusion.keys import generator
from texprior.diffusion.process import Process
from texprior.errors import ConfigError
from texprior.flow.augment import augmented
from texprior.flow.code import place_of
from texprior.flow.decompose import decompose
from texprior.flow.degrade import Degrader, drawn_for
from texprior.flow.kinds import DEGRADATION
from texprior.flow.objective import Objective
from texprior.flow.predict import InitialPredictor
from texprior.flow.prior import SemanticEncoder
from texprior.models.build import Model, Prior, build_adapter, build_predictor, build_prior, require_grid
from texprior.models.folders import folder_builder, load_prior
from texprior.models.sampling import (
    noise_levels_of,
    rehearsed_scale,
    require_condition_noise,
    require_guidance,
    require_range,
)
from texprior.models.stage_one import describe_differences, stage_one_differences, with_stage_one_of
from texprior.pipeline import restore
from texprior.runtime.builder import Builder
from texprior.runtime.folds import fold_numbers
from texprior.runtime.session import Session
from texprior.training.data import build_augmentations
from texprior.training.loop import Loss
from texprior.training.losses import LayerLoss, prediction_loss_of
from texprior.training.patches import Patches, Pool, Prepared
from texprior.training.recipe import recipe_of

_OF_PRIOR = ("sampling.condition_noise", "sampling.guidance", "sampling.guidance_from")
"""Settings of sampling that ask for what the prior was trained with."""
_PICTURES_OF = {
    "prior": ("picture", "structure", "blurred picture", "blurred structure"),
    "predictor": ("clean", "degraded"),
    "adapter": ("clean", "estimate", "base", "condition"),
}
"""Training -> the pictures that its pool holds."""
_PICTURES = tuple(dict.fromkeys(name for names in _PICTURES_OF.values() for name in names))
"""Every picture that the pool of some stage holds; a rehearsal offers all of them to each stage."""


def prior_at(folder: Path | None, builder: Builder) -> Prior:
    """Loads the prior in a folder, or builds one; it is frozen.

    Without a folder, builds the experiment's own prior with initial weights. Raises ConfigError if sampling starts
    beyond the end of a trained prior's process, as far as its scale is that of Stage II.
    """
    prior = load_prior(folder, builder) if folder else build_prior(builder, 1.0, Path())
    if folder and builder.experiment.process.residual_scale == "prior":
        require_range(prior.process, builder.experiment.sampling, prior.scale)
    prior.network.requires_grad_(False).eval()
    return prior


def on_prior(session: Session, folder: Path | None) -> Session:
    """Returns the session with the Stage I settings of a trained prior.

    Stage II uses these settings. Without a folder, returns the session as it is. Raises ConfigError if the experiment
    states other settings, or settings that cannot work with the prior's process.
    """
    if folder is None:
        return session
    of_prior = folder_builder(folder, session.registry, session.builder).experiment
    found = stage_one_differences(session.experiment, of_prior, session.said, session.registry)
    if found:
        raise ConfigError(describe_differences(found, f"the prior {folder}"))
    used = with_stage_one_of(session.experiment, of_prior)
    # the process is the prior's, which the experiment was not checked against when it was read
    raise_complaints(list(process_faults(used, session.registry)), f"with the prior {folder}", {})
    return session.with_(experiment=used)


def require_adapters(session: Session, prior: Path | None) -> None:
    """Builds the experiment's adapter, or every one that its sweep may choose, and discards them.

    Raises ConfigError if one of them cannot work on the denoiser of the prior (see ``prior_at``), if the experiment
    states other Stage I settings than the prior's, or if its sampling asks for what the prior was not trained with.
    """
    require_folds(session)
    trained = on_prior(session, prior).experiment.diffusion
    # a range is checked trial by trial
    if all(isinstance(session.experiment.sweep.space.get(path, []), list) for path in _OF_PRIOR):
        for chosen in _choices(session, *_OF_PRIOR):
            require_condition_noise(trained, chosen.sampling)
            require_guidance(trained, chosen.sampling)
    frozen = prior_at(prior, session.builder)
    for chosen in _choices(session, "adapter", "process.unfreeze"):
        build_adapter(Builder(chosen, session.registry), frozen)


def _choices(session: Session, *paths: str) -> Iterator[Experiment]:
    """Yields the experiment with each combination of the values that its sweep lists for some paths."""
    space = session.experiment.sweep.space
    choices = {path: space[path] for path in paths if isinstance(space.get(path), list)}
    for values in itertools.product(*choices.values()):
        yield with_overrides(session.experiment, dict(zip(choices, values, strict=True)), session.registry)


def require_folds(session: Session) -> None:
    """Raises ConfigError if the predictors of ``training.folds`` cannot be trained."""
    folds = session.experiment.training.folds
    if folds == 1:
        return
    fold_numbers(session.pictures("train"), folds)
    if not build_predictor(session.builder).needs_training:
        raise ConfigError(
            f"training.folds: predictor '{session.experiment.predictor.name}' has nothing to train, so its estimates "
            "are the same with and without folds; set training.folds to 1"
        )


def rehearse_training(session: Session) -> None:
    """Builds all components and sends one random patch through every stage.

    The patch goes forwards and backwards. Keeps nothing. A component that cannot work raises here, in seconds, instead
    of hours later.
    """
    experiment, trainings, builder = session.experiment, session.experiment.training, session.builder
    prior, predictor = build_prior(builder, 1.0, Path()), build_predictor(builder)
    require_grid(experiment.sampling, prior.network, predictor)
    side = trainings.adapter.patch
    patch = torch.rand(1, 3, side, side, generator=generator(0, "rehearsal"))

    # A component may draw from the global generator; the trainings that follow must not depend on that.
    with torch.random.fork_rng():
        decompose(patch.to(session.device), prior.decomposition)
        _backward(layer_loss(session, prior, trainings.prior).stage_one([0]))
        if predictor.needs_training:
            objective = recipe_of(session, trainings.predictor).objective
            _backward(random_prediction_loss(session, predictor, objective, trainings.predictor)([0]))
        prior.network.requires_grad_(False)
        adapter = build_adapter(builder, prior)
        with_degraded = adapter.sees_given or trainings.adapter.objective is not None
        _rehearse_augmentations(session, prior, with_degraded)
        _backward(layer_loss(session, prior, trainings.adapter).stage_two(adapter, [0]))
        scale = rehearsed_scale(prior.process, experiment.sampling)
        model = Model(experiment, prior, predictor, adapter, Process(scale), Path(), session.registry)
        restore(model, patch, "rehearsal")


def _rehearse_augmentations(session: Session, prior: Prior, with_degraded: bool) -> None:
    """Augments random patches with all that each training sees: pictures, maps that are told, and the grid of a code.

    ``with_degraded`` says whether the adapter's training sees what the predictor's does.
    """
    augmentations, side = build_augmentations(session.builder), session.experiment.training.adapter.patch
    degradation = session.build(DEGRADATION) if session.experiment.degradation else None
    told = drawn_for(degradation, 0, ("rehearsal",), (side, side)) if degradation else {}
    maps, place = {name: value for name, value in told.items() if value.ndim == 3}, place_of(prior.encoder)
    for stage, names in _PICTURES_OF.items():
        rng = generator(0, "rehearsal", stage)
        patch = {name: torch.rand(3, side, side, generator=rng) for name in names}
        if stage == "adapter" and with_degraded:
            patch |= {"degraded": torch.rand(3, side, side, generator=rng)}
        if "degraded" in patch:
            patch |= maps
        if place is not None and stage != "predictor":
            patch |= {"code": torch.rand(prior.encoder.width, place.side, place.side, generator=rng)}
        augmented(patch, augmentations, rng)


def rehearse_sampling(session: Session, model: Model) -> None:
    """Restores one random patch with a trained model; keeps nothing.

    The patch is sampled as the session's experiment says.
    """
    patch = torch.rand(1, 3, 64, 64, generator=generator(0, "rehearsal"))
    with torch.random.fork_rng():
        restore(model, patch.to(session.device), "rehearsal", session.experiment.sampling)


def layer_loss(session: Session, prior: Prior, settings: Training, compiles: bool = False) -> LayerLoss:
    """Builds the layer loss of a training of the prior or the adapter on random pictures."""
    experiment = session.experiment
    # an objective of the adapter may read what the degradation tells; in Stage I nothing is degraded
    degradation = session.build(DEGRADATION) if experiment.degradation else None
    patches = random_patches(prior.encoder, settings, degradation)
    levels = noise_levels_of(session.registry, experiment.diffusion, prior.process, prior.scale)
    learned = levels, recipe_of(session, settings).objective
    return LayerLoss(experiment, prior, Process(prior.scale), patches, settings.amp, *learned, compiles)


def random_patches(encoder: SemanticEncoder | None, settings: Training, degradation: Degrader | None = None) -> Patches:
    """Draws random pictures of a patch's size, with everything that any stage asks for.

    Without an encoder there is no code, as for the predictor. What a degradation tells is there if one is given.
    """

    def prepare(key: str) -> Prepared:
        def rng(part: str) -> torch.Generator:
            return generator(0, "dry run", key, part)

        size = (3, settings.patch, settings.patch)
        pictures: dict[str, Tensor] = {name: torch.rand(size, generator=rng(name)) for name in _PICTURES}
        if encoder is not None:
            pictures["code"] = torch.rand(encoder.tokens, encoder.width, generator=rng("code"))
        if degradation is not None:
            pictures |= drawn_for(degradation, 0, (key,), size[1:])
        return pictures

    return Patches(Pool(["0", "1"], prepare, cache_mb=64), settings.patch, seed=0)


def random_prediction_loss(
    session: Session,
    predictor: InitialPredictor,
    objective: Objective | None,
    settings: Training,
    compiles: bool = False,
) -> Loss:
    """Returns the loss of a predictor's training on random pictures."""
    degradation = session.build(DEGRADATION) if session.experiment.degradation else None
    patches = random_patches(None, settings, degradation)
    return prediction_loss_of(predictor, patches, settings.amp, objective, compiles)


def _backward(loss: Tensor) -> None:
    if loss.requires_grad:  # an adapter may have nothing to train
        loss.sum().backward()  # type: ignore[no-untyped-call]
