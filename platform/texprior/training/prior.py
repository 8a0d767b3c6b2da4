"""Stage I: trains the denoiser on the texture layer of clean photographs."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from texprior.config.schema import Training
from texprior.diffusion.process import Process
from texprior.errors import ConfigError
from texprior.flow.process import base_of_prior
from texprior.models.build import build_prior
from texprior.models.folders import PRIOR, save_prior
from texprior.models.sampling import (
    noise_levels_of,
    require_condition_noise,
    require_guidance,
    require_range,
)
from texprior.runtime.identity import data_digest
from texprior.runtime.session import Session
from texprior.track import Run
from texprior.training.ahead import Ahead
from texprior.training.cards import prior_card
from texprior.training.data import cached_texture_pool, cut_patches, layer_scale, own_texture_pool, require_layer
from texprior.training.differences import explain_difference, program_record
from texprior.training.folders import (
    CHECKPOINT,
    PRIOR_PARTS,
    Place,
    hold_folder,
    is_trained,
    tell_found,
    training_place,
)
from texprior.training.held_out import ALONE, measure_held_out, measure_layer
from texprior.training.loop import Finished, Loss
from texprior.training.losses import LayerLoss
from texprior.training.match_strength import match_prior_strength, without_strength
from texprior.training.memory import require_memory
from texprior.training.preflight import layer_loss
from texprior.training.recipe import recipe_of
from texprior.training.run import Trained, refuse_compiling, run_training, stop_record, training_record
from texprior.training.threads import choose_threads, own_threads
from texprior.training.trainee import Trainee


def train_prior(session: Session, place: Place | None = None) -> Trained:
    """Trains the texture prior, or finds it trained; returns its folder.

    ``place`` is that of ``prior_place``, if the caller has it already.
    """
    require_own_prior(session)
    session.refuse_overlap_with_prior()
    session = session.of_stage_one()
    settings = session.experiment.training.prior
    place = place or prior_place(session)
    with hold_folder(session, place.folder), own_threads(), Ahead() as ahead:
        if is_trained(session, place.folder / PRIOR, settings):
            tell_found(session, "prior", place.folder)
            return Trained(place.folder, {})

        # what is learned: the layer that the decomposition separates, at its strength, in units of its deviation
        session.pictures("train")
        session = match_prior_strength(session, place)
        experiment = session.experiment
        refuse_compiling("prior", settings, session.device)
        require_condition_noise(experiment.diffusion, experiment.sampling)
        require_guidance(experiment.diffusion, experiment.sampling)
        prior = build_prior(session.builder, 1.0, place.folder)

        def loss_of(chosen: Training) -> Loss:
            return layer_loss(session, prior, chosen).stage_one

        networks = (prior.network, prior.encoder)
        require_memory("prior", settings, loss_of, *networks, processes=session.team.size)
        choose_threads(session, "prior", settings, loss_of, *networks, checkpoint=place.folder / CHECKPOINT)
        pool = ahead.serve(cached_texture_pool(session, prior), own_texture_pool, session)
        scale = require_layer(
            layer_scale(pool, "picture", "structure", experiment.seed, base_of=partial(base_of_prior, prior.process)),
            f"the texture that decomposition '{experiment.decomposition.name}' separates",
            "use photographs with fine detail, or a stronger decomposition",
            session.trains_on,
        )
        if experiment.process.residual_scale == "prior":
            require_range(prior.process, experiment.sampling, scale)

        # how it is learned, and what is left at the end
        patches = cut_patches(session.builder, pool, settings)
        recipe = recipe_of(session, settings)
        levels = noise_levels_of(session.registry, experiment.diffusion, prior.process, scale)
        loss_on = partial(LayerLoss, experiment, prior, Process(scale), amp=settings.amp, levels=levels)
        loss = loss_on(patches, objective=recipe.objective, compiles=settings.compile)
        trainee = Trainee(prior.network, settings, recipe)

        def finish(run: Run, done: Finished) -> None:
            about = {
                "scale": scale,
                "images_seen": done.images_seen,
                **stop_record(settings, done),
                "seed": experiment.seed,
                **training_record(trainee),
                **program_record(session, (*PRIOR_PARTS, "training.prior")),
            }
            measure = partial(
                measure_layer,
                partial(loss_on, objective=recipe.objective),
                LayerLoss.texture,
                ALONE,
                settings.microbatch or settings.batch,
            )
            held_out_pool = partial(cached_texture_pool, session, prior)
            found = measure_held_out(session, "prior", trainee, place.folder, pool, held_out_pool, measure)
            card = prior_card(session, trainee.network, about, done, found)
            save_prior(place.folder, experiment, trainee.averaged(), about, card)
            run.artifact(place.folder)
            run.summary |= {"texture_std": scale, **(found.metrics("prior") if found else {})}

        run_training(session, "prior", place, trainee, loss.stage_one, finish, loss.outputs, patches)
        return Trained(place.folder, pool.broken)


def prior_place(session: Session) -> Place:
    """Returns where Stage I puts the prior of this experiment, trained or not."""
    session = session.of_stage_one()
    experiment, settings = session.experiment, session.experiment.training.prior
    digest, target = data_digest(experiment.data, session.pictures("train").keys), experiment.match_texture_std
    parents = [digest] if target is None else [digest, f"texture {target}"]
    return training_place(without_strength(session), "prior", PRIOR_PARTS, settings, parents)


def own_prior(session: Session, remedy: str) -> Path:
    """Returns the folder of this experiment's own prior.

    Raises ConfigError if it is not trained yet. The message says how it differs from stored priors, and the ``remedy``.
    """
    session = session.of_stage_one()
    place = prior_place(session)
    if (place.folder / PRIOR).is_file():
        return place.folder
    why = explain_difference(session, place, "prior")
    raise ConfigError(
        f"experiment {session.experiment.name}: its own prior is not trained yet (it would be {place.folder})"
        f"{f'; {why}' if why else ''}; {remedy}"
    )


def require_own_prior(session: Session) -> None:
    """Raises ConfigError if the experiment names a trained prior, so that there is none to train."""
    named = session.experiment.prior
    if named is not None:
        raise ConfigError(
            f"prior: the experiment names the trained prior {named}, so there is none to train; "
            "set 'prior: null' to train its own"
        )


def at_strength(session: Session) -> Session:
    """Returns the session at the strength that its prior is trained at.

    Searches for the strength if it is not known. Raises ConfigError if no strength reaches the target.
    """
    # a given prior is at its strength
    if session.experiment.match_texture_std is None or session.experiment.prior is not None:
        return session
    place = prior_place(session)
    with hold_folder(session, place.folder):
        return match_prior_strength(session, place)
