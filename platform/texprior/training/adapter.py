"""Stage II, second part: trains the adapter on the frozen prior."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from texprior.diffusion.process import Process
from texprior.flow.image import PictureSet
from texprior.flow.predict import InitialPredictor
from texprior.models.build import Prior, build_adapter, count_parameters, require_grid, with_structure_cache
from texprior.models.folders import ADAPTER, PREDICTOR, load_predictor, load_prior, save_model
from texprior.runtime.identity import data_digest
from texprior.runtime.session import Session
from texprior.store import sha256
from texprior.track import Run
from texprior.training.cards import model_card
from texprior.training.data import guided_pool, layer_scale, pair_pool, patches_of
from texprior.training.folders import ADAPTER_PARTS, TILING, folder_of, hold_folder, is_trained, trajectory_of
from texprior.training.loop import Finished, Trainee
from texprior.training.losses import LayerLoss
from texprior.training.patches import Pool
from texprior.training.run import Trained, run_training, stop_record, version_record


def train_adapter(session: Session, prior_folder: Path, predictor_folder: Path) -> Trained:
    """Stage II, second part: trains the adapter on the frozen prior; returns the model's folder."""
    prior = load_prior(prior_folder, session.registry, session)
    session = session.with_(experiment=prior.describe(session.experiment))
    experiment, settings = session.experiment, session.experiment.training.adapter
    dataset, keys = session.pictures("train")
    parents = [prior.sha256, sha256(predictor_folder / PREDICTOR), data_digest(experiment.data, keys)]
    trajectory = trajectory_of(session, ADAPTER_PARTS, settings, *parents)
    folder = folder_of(session, "model", trajectory, settings)
    with hold_folder(session, folder):
        if is_trained(session, folder / ADAPTER, settings):
            session.say(f"model: {folder} is trained already")
            return Trained(folder, {})
        adapter = build_adapter(session, prior)
        predictor = load_predictor(predictor_folder, session)
        require_grid(experiment.sampling, prior.network, predictor)
        pool = _shared_pool(session, dataset, keys, prior, predictor, parents)
        measured = layer_scale(pool, "clean", "base", experiment.seed)
        scale = measured if experiment.process.residual_scale == "measured" else prior.scale
        session.say(f"residual: standard deviation {measured:.4f}, {measured / prior.scale:.2f} of the prior's texture")
        patches = patches_of(session, pool, settings)
        loss = LayerLoss(experiment, prior, Process(scale), patches, settings.amp)
        trainee = Trainee(adapter, settings)

        def finish(run: Run, done: Finished) -> None:
            about = {
                "residual_scale": scale,
                "residual_std": measured,
                "prior_sha256": prior.sha256,
                "prior_path": os.path.relpath(prior.folder.resolve(), folder.resolve()),
                "images_seen": done.images_seen,
                **stop_record(settings, done),
                "seed": experiment.seed,
                **version_record(),
            }
            card = model_card(session, adapter, prior, about, done)
            save_model(folder, experiment, trainee.averaged(), predictor_folder, about, card)
            run.artifact(folder)
            trainable = count_parameters(adapter, trainable_only=True)
            share = trainable / count_parameters(prior.network)
            run.summary |= {"residual_std": measured, "trainable_parameters": trainable, "trainable_share": share}

        run_training(session, "adapter", folder, trajectory, trainee, partial(loss.stage_two, adapter), finish)
        return Trained(folder, pool.broken)


def _shared_pool(
    session: Session,
    dataset: PictureSet,
    keys: list[str],
    prior: Prior,
    predictor: InitialPredictor,
    parents: list[str],
) -> Pool:
    """What Stage II derives from the training pictures, kept for the trials of a sweep that differ in other things."""
    patch = session.experiment.training.adapter.patch
    key = (*parents, patch, session.experiment.hash("seed", "degradation", "process", "data", *TILING))
    if key not in session.memory:
        session.memory.clear()
        pairs = pair_pool(session, dataset, keys, patch)
        session.memory[key] = guided_pool(session.experiment, pairs, with_structure_cache(session, prior), predictor)
    pool: Pool = session.memory[key]
    return pool
