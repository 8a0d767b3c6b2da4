"""Stage II, first part: trains the initial predictor with its own loss."""

from __future__ import annotations

from functools import partial

from texprior.flow.predict import InitialPredictor
from texprior.models.build import build_predictor
from texprior.models.folders import PREDICTOR, save_predictor
from texprior.runtime.identity import data_digest
from texprior.runtime.session import Session
from texprior.track import Run
from texprior.training.ahead import Ahead
from texprior.training.data import cut_patches, pair_pool
from texprior.training.differences import program_record
from texprior.training.folders import (
    CHECKPOINT,
    PREDICTOR_PARTS,
    Place,
    hold_folder,
    is_trained,
    tell_found,
    training_place,
)
from texprior.training.held_out import measure_held_out, measure_pictures
from texprior.training.loop import Finished, Loss
from texprior.training.losses import prediction_loss_of, prediction_outputs
from texprior.training.memory import require_memory
from texprior.training.patches import Patches
from texprior.training.preflight import random_prediction_loss
from texprior.training.recipe import recipe_of
from texprior.training.run import Trained, refuse_compiling, run_training, stop_record, training_record, version_record
from texprior.training.threads import choose_threads, own_threads
from texprior.training.trainee import Trainee

_PROGRAMS = (*PREDICTOR_PARTS, "training.predictor")
"""The settings whose components' programs decide the training."""


def train_predictor(session: Session, place: Place | None = None) -> Trained:
    """Trains the initial predictor, or finds it trained; returns its folder.

    ``place`` is that of ``predictor_place``, if the caller has it already.
    """
    experiment, settings = session.experiment, session.experiment.training.predictor
    place = place or predictor_place(session)
    with hold_folder(session, place.folder), own_threads(), Ahead() as ahead:
        if is_trained(session, place.folder / PREDICTOR, settings):
            tell_found(session, "predictor", place.folder)
            return Trained(place.folder, {})
        predictor = build_predictor(session.builder)
        if not predictor.needs_training:
            return _save_untrained(session, predictor, place)
        refuse_compiling("predictor", settings, session.device)
        recipe = recipe_of(session, settings)
        loss_of = partial(random_prediction_loss, session, predictor, recipe.objective)
        require_memory("predictor", settings, loss_of, predictor, processes=session.team.size)
        choose_threads(session, "predictor", settings, loss_of, predictor, checkpoint=place.folder / CHECKPOINT)
        pool = ahead.serve(pair_pool(session, settings.patch), partial(pair_pool, patch=settings.patch), session)
        trainee = Trainee(predictor, settings, recipe)

        def loss_on(patches: Patches) -> Loss:
            return prediction_loss_of(predictor, patches, settings.amp, recipe.objective)

        def finish(run: Run, done: Finished) -> None:
            seen = {"images_seen": done.images_seen, **stop_record(settings, done)}
            programs = program_record(session, _PROGRAMS)
            used = training_record(trainee)
            fold = {} if session.fold is None else {"without": str(session.fold)}
            about = {**seen, "seed": experiment.seed, **fold, **used, **programs}
            held_out_pool = partial(pair_pool, session, settings.patch)
            measure = partial(measure_pictures, loss_on, settings.microbatch or settings.batch)
            found = measure_held_out(session, "predictor", trainee, place.folder, pool, held_out_pool, measure)
            save_predictor(place.folder, experiment, trainee.averaged(), about)
            run.summary |= found.metrics("predictor") if found else {}

        patches = cut_patches(session.builder, pool, settings)
        given = (predictor, patches, settings.amp)
        loss = prediction_loss_of(*given, recipe.objective, settings.compile)
        outputs_of = partial(prediction_outputs, *given)
        run_training(session, "predictor", place, trainee, loss, finish, outputs_of, patches)
        return Trained(place.folder, pool.broken)


def _save_untrained(session: Session, predictor: InitialPredictor, place: Place) -> Trained:
    """Writes a predictor that has nothing to train to where a trained one would be."""
    session.say(f"predictor: '{session.experiment.predictor.name}' has nothing to train; it is used as it is")
    if session.team.leads:
        about = {
            "images_seen": 0,
            **version_record(),
            **program_record(session, _PROGRAMS),
        }
        save_predictor(place.folder, session.experiment, predictor.state_dict(), about)
    session.team.wait()
    return Trained(place.folder, {})


def predictor_place(session: Session) -> Place:
    """Returns where Stage II puts the predictor of this experiment, trained or not."""
    digest = data_digest(session.experiment.data, session.pictures("train").keys)
    settings = session.experiment.training.predictor
    return training_place(session, "predictor", PREDICTOR_PARTS, settings, [digest])
