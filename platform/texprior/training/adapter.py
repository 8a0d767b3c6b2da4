"""Stage II, second part: trains the adapter on the frozen prior."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import cast

from texprior.diffusion.process import Process
from texprior.flow.predict import InitialPredictor
from texprior.models.build import Prior, build_adapter, count_parameters, require_grid, with_structure_cache
from texprior.models.folders import ADAPTER, PREDICTOR, load_predictor, load_prior, save_model
from texprior.runtime.identity import data_digest
from texprior.runtime.session import Session
from texprior.store import sha256
from texprior.track import Run
from texprior.training.cards import model_card
from texprior.training.data import cut_patches, guided_pool, layer_scale, pair_pool
from texprior.training.folders import ADAPTER_PARTS, TILING, hold_folder, is_trained, training_place
from texprior.training.loop import Finished, Trainee
from texprior.training.losses import LayerLoss
from texprior.training.patches import Pool
from texprior.training.run import Trained, run_training, stop_record, version_record


def train_adapter(session: Session, prior_folder: Path, predictor_folder: Path) -> Trained:
    """Trains the adapter on a prior and a predictor; returns the model's folder.

    If it is trained already, returns that folder.
    """
    prior = load_prior(prior_folder, session.builder)
    session = session.with_(experiment=prior.describe(session.experiment))
    experiment, settings = session.experiment, session.experiment.training.adapter
    keys = session.pictures("train").keys
    parents = [prior.sha256, sha256(predictor_folder / PREDICTOR), data_digest(experiment.data, keys)]
    place = training_place(session, "model", ADAPTER_PARTS, settings, parents)
    with hold_folder(session, place.folder):
        if is_trained(session, place.folder / ADAPTER, settings):
            session.say(f"model: {place.folder} is trained already")
            return Trained(place.folder, {})

        # what is learned: the residual of the estimate, in units of the prior's texture or of its own deviation
        adapter = build_adapter(session.builder, prior)
        predictor = load_predictor(predictor_folder, session.builder)
        require_grid(experiment.sampling, prior.network, predictor)
        pool = _shared_pool(session, prior, predictor, parents)
        measured = layer_scale(pool, "clean", "base", experiment.seed)
        scale = measured if experiment.process.residual_scale == "measured" else prior.scale
        session.say(f"residual: standard deviation {measured:.4f}, {measured / prior.scale:.2f} of the prior's texture")

        # how it is learned, and what is left at the end
        loss = LayerLoss(experiment, prior, Process(scale), cut_patches(experiment, pool, settings), settings.amp)
        trainee = Trainee(adapter, settings)

        def finish(run: Run, done: Finished) -> None:
            about = {
                "residual_scale": scale,
                "residual_std": measured,
                "prior_sha256": prior.sha256,
                "prior_path": os.path.relpath(prior.folder.resolve(), place.folder.resolve()),
                "images_seen": done.images_seen,
                **stop_record(settings, done),
                "seed": experiment.seed,
                **version_record(),
            }
            card = model_card(session, adapter, prior, about, done)
            save_model(place.folder, experiment, trainee.averaged(), predictor_folder, about, card)
            run.artifact(place.folder)
            trainable = count_parameters(adapter, trainable_only=True)
            share = trainable / count_parameters(prior.network)
            run.summary |= {"residual_std": measured, "trainable_parameters": trainable, "trainable_share": share}

        run_training(session, "adapter", place, trainee, partial(loss.stage_two, adapter), finish)
        return Trained(place.folder, pool.broken)


def _shared_pool(session: Session, prior: Prior, predictor: InitialPredictor, parents: list[str]) -> Pool:
    """What Stage II derives from the training pictures; kept for the next trials, which differ in other things."""
    experiment = session.experiment
    patch, data = experiment.training.adapter.patch, experiment.data

    def make() -> Pool:
        cached = with_structure_cache(prior, session.registry, session.cache_folder, data.disk_cache_mb)
        return guided_pool(experiment, pair_pool(session, patch), cached, predictor)

    key = (*parents, patch, experiment.hash("seed", "degradation", "process", "data", *TILING))
    return cast("Pool", session.caches.stage_two_pictures.get(key, make))
