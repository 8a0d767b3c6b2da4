"""Stage II, second part: trains the adapter on the frozen prior."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import cast

from texprior.config.combinations import base_is_own
from texprior.config.schema import ProcessChoice, Training
from texprior.diffusion.process import Process
from texprior.flow.predict import InitialPredictor
from texprior.models.build import Prior, build_adapter, count_parameters, require_grid
from texprior.models.folders import ADAPTER, PREDICTOR, load_predictor, load_prior, save_model
from texprior.models.prior_search import record_prior, relative_path
from texprior.models.sampling import (
    first_level,
    learned_sigmas,
    noise_levels_of,
    require_condition_noise,
    require_guidance,
    require_range,
)
from texprior.runtime.identity import data_digest
from texprior.runtime.session import Session
from texprior.store import about_tensors, sha256
from texprior.track import Run
from texprior.training.ahead import Ahead
from texprior.training.cards import model_card
from texprior.training.cross_fit import fold_places, train_folds
from texprior.training.data import cached_guided_pool, cut_patches, layer_scale, own_guided_pool, require_layer
from texprior.training.differences import program_record
from texprior.training.folders import ADAPTER_PARTS, CHECKPOINT, TILING, Place, hold_folder, is_trained, training_place
from texprior.training.folders import tell_found as report_found
from texprior.training.held_out import measure_held_out, measure_layer
from texprior.training.loop import Finished, Loss
from texprior.training.losses import LayerLoss
from texprior.training.memory import require_memory
from texprior.training.patches import Pool
from texprior.training.preflight import layer_loss
from texprior.training.recipe import recipe_of
from texprior.training.run import Trained, refuse_compiling, run_training, stop_record, training_record
from texprior.training.threads import choose_threads, own_threads
from texprior.training.trainee import Trainee

FAR = 2.0
"""A residual is far from the prior's texture if it is more than twice, or less than half, as strong."""


def train_adapter(
    session: Session, prior_folder: Path, predictor_folder: Path, held_out: bool = True, tell_found: bool = True
) -> Trained:
    """Trains the adapter on a prior and a predictor; returns the model's folder.

    If it is trained already, returns that folder, and says so if ``tell_found``. ``held_out`` is whether the result is
    measured on held-out photographs.
    """
    prior = load_prior(prior_folder, session.builder)
    session = session.with_(experiment=prior.describe(session.experiment))
    experiment, settings = session.experiment, session.experiment.training.adapter
    place = adapter_place(session, prior.sha256, predictor_folder)
    parents = list(place.parents)
    with hold_folder(session, place.folder), own_threads(), Ahead() as ahead:
        if is_trained(session, place.folder / ADAPTER, settings):
            if tell_found:
                report_found(session, "model", place.folder)
            if session.team.leads:
                record_prior(place.folder, about_tensors(place.folder / ADAPTER), prior.folder)
            return Trained(place.folder, {})

        refuse_compiling("adapter", settings, session.device)
        require_condition_noise(experiment.diffusion, experiment.sampling)
        require_guidance(experiment.diffusion, experiment.sampling)
        # what is learned: the residual of the estimate, in units of the prior's texture or of its own deviation
        adapter = build_adapter(session.builder, prior)
        predictor = load_predictor(predictor_folder, session.builder)
        require_grid(experiment.sampling, prior.network, predictor)
        folds = [trained.folder.resolve() for trained in train_folds(session)]
        of_folds = [load_predictor(folder, session.builder) for folder in folds]

        def loss_of(chosen: Training) -> Loss:
            return partial(layer_loss(session, prior, chosen).stage_two, adapter)

        networks = (adapter, prior.network, prior.encoder, predictor)
        require_memory("adapter", settings, loss_of, *networks, processes=session.team.size)
        choose_threads(session, "adapter", settings, loss_of, *networks, checkpoint=place.folder / CHECKPOINT)
        # an objective of its own may use the degraded picture, too
        with_degraded = adapter.sees_given or settings.objective is not None
        make = partial(own_guided_pool, prior_folder.resolve(), predictor_folder.resolve(), with_degraded, folds)
        pool = ahead.serve(_shared_pool(session, prior, predictor, of_folds, parents, with_degraded), make, session)
        measured = layer_scale(pool, "clean", "base", experiment.seed)
        require_layer(
            measured,
            f"the residual of the predictor's estimate ('{experiment.predictor.name}')",
            "use photographs with fine detail, and a degradation that removes it",
        )
        scale = measured if experiment.process.residual_scale == "measured" else prior.scale
        require_range(prior.process, experiment.sampling, scale)
        # it warns of levels that this training will not draw
        learned_sigmas(session.registry, experiment.sampling, experiment.diffusion, prior.process, scale)
        own = base_is_own(session.registry, experiment)
        session.say(describe_residual(measured, prior.scale, experiment.process, own))

        # how it is learned, and what is left at the end
        patches = cut_patches(session.builder, pool, settings)
        recipe = recipe_of(session, settings)
        levels = noise_levels_of(session.registry, experiment.diffusion, prior.process, scale)
        loss_on = partial(LayerLoss, experiment, prior, Process(scale), amp=settings.amp, levels=levels)
        loss = loss_on(patches, objective=recipe.objective, compiles=settings.compile)
        trainee = Trainee(adapter, settings, recipe)

        def finish(run: Run, done: Finished) -> None:
            about = {
                "residual_scale": scale,
                "residual_std": measured,
                "prior_sha256": prior.sha256,
                "prior_path": relative_path(prior.folder, place.folder),
                "images_seen": done.images_seen,
                **stop_record(settings, done),
                "seed": experiment.seed,
                **({"folds": [folder.name for folder in folds]} if folds else {}),
                **training_record(trainee),
                **program_record(session, (*ADAPTER_PARTS, "training.adapter")),
            }
            measure = partial(
                measure_layer,
                partial(loss_on, objective=recipe.objective),
                lambda loss, numbers: loss.residual(adapter, numbers),
                first_level(prior.process, experiment.sampling, scale),
                settings.microbatch or settings.batch,
            )
            held_out_pool = partial(cached_guided_pool, session, prior, predictor, with_degraded)
            given = place.folder, pool, held_out_pool, measure
            found = measure_held_out(session, "adapter", trainee, *given) if held_out else None
            card = model_card(session, adapter, prior, about, done, found)
            save_model(place.folder, experiment, trainee.averaged(), predictor_folder, about, card)
            run.artifact(place.folder)
            trainable = count_parameters(adapter, trainable_only=True)
            share = trainable / count_parameters(prior.network)
            run.summary |= {"residual_std": measured, "trainable_parameters": trainable, "trainable_share": share}
            run.summary |= found.metrics("adapter") if found else {}

        outputs_of = partial(loss.outputs, adapter=adapter)
        run_training(session, "adapter", place, trainee, partial(loss.stage_two, adapter), finish, outputs_of, patches)
        return Trained(place.folder, pool.broken)


def describe_residual(measured: float, of_prior: float, process: ProcessChoice, own_base: bool = False) -> str:
    """Returns a sentence on the strength of the residual against the prior's texture.

    If they are far apart, it also says what to try. ``own_base`` says that the diffusion process chooses the base.
    """
    ratio = measured / of_prior
    text = f"residual: standard deviation {measured:.4f}, {ratio:.2f} times that of the prior's texture"
    if 1 / FAR < ratio < FAR:
        return f"{text}; that is near 1, as it should be"
    if process.residual_scale == "measured":
        return f"{text}; that is far from 1, but the residual is divided by its own deviation"
    tries = ["process.residual_scale=measured", "a predictor that is trained longer" if ratio > 1 else ""]
    tries += ["process.base=estimate-structure"] * (process.base == "estimate" and ratio < 1 and not own_base)
    return f"{text}; that is far from 1, the strength that the prior knows; try {' or '.join(filter(None, tries))}"


def adapter_place(session: Session, prior_sha256: str, predictor_folder: Path) -> Place:
    """Returns the place of an adapter's training, of a session with the Stage I settings of its prior."""
    parents = adapter_parents(session, prior_sha256, predictor_folder)
    return training_place(session, "model", ADAPTER_PARTS, session.experiment.training.adapter, parents)


def adapter_parents(session: Session, prior_sha256: str, predictor_folder: Path) -> list[str]:
    """Returns the digests of what an adapter's training starts from.

    These are its prior, its predictor and its data, in this order, and the names of the folds' predictors, which may
    not be trained yet.
    """
    keys, folds = session.pictures("train").keys, [place.folder.name for place in fold_places(session)]
    return [prior_sha256, sha256(predictor_folder / PREDICTOR), data_digest(session.experiment.data, keys), *folds]


def _shared_pool(
    session: Session,
    prior: Prior,
    predictor: InitialPredictor,
    folds: Sequence[InitialPredictor],
    parents: list[str],
    with_degraded: bool,
) -> Pool:
    """What Stage II derives from the training pictures; kept for the next trials, which differ in other things."""
    experiment = session.experiment
    key = (
        *parents,
        with_degraded,
        experiment.training.adapter.patch,
        experiment.hash("seed", "degradation", "process", "diffusion.process", "data", *TILING),
    )
    make = partial(cached_guided_pool, session, prior, predictor, with_degraded, folds=folds)
    return cast("Pool", session.caches.stage_two_pictures.get(key, make))
