"""The three trainings: Stage I's prior, then Stage II's predictor and adapter. Each prepares what it sees, runs the one
loop, and leaves a folder.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from texprior.cards import model_card, prior_card
from texprior.diffusion.process import Process
from texprior.fit import fit, stop_of, versions
from texprior.flow.image import PictureSet
from texprior.flow.predict import InitialPredictor
from texprior.folders import (
    ADAPTER_PARTS,
    PREDICTOR_PARTS,
    PRIOR_PARTS,
    TILING,
    claimed,
    folder_of,
    is_done,
    trajectory_of,
)
from texprior.matching import before_matching, matched
from texprior.models.build import Prior, build_adapter, build_prior, count, placed, remembering, require_grid
from texprior.models.folders import (
    ADAPTER,
    PREDICTOR,
    PRIOR,
    load_predictor,
    load_prior,
    save_model,
    save_predictor,
    save_prior,
)
from texprior.pool import Pool
from texprior.runtime.identity import data_digest
from texprior.runtime.session import Session
from texprior.stages import LayerLoss, guided_pool, layer_scale, pair_pool, patches_of, prediction_loss, texture_pool
from texprior.store import sha256
from texprior.track import Run
from texprior.train import Finished, Trainee


@dataclass(frozen=True)
class Trained:
    """A finished training: its folder, and the photographs that could not be read."""

    folder: Path
    broken: dict[str, str]


def train_prior(session: Session) -> Trained:
    """Stage I: trains the denoiser on the texture layer of clean photographs; returns the prior's folder."""
    settings = session.experiment.training.prior
    dataset, keys = session.pictures("train")
    trajectory, folder = _prior_place(session, keys)
    with claimed(session, folder):
        if is_done(session, folder / PRIOR, settings):
            session.say(f"prior: {folder} is trained already")
            return Trained(folder, {})
        session = matched(session, dataset, keys, folder, trajectory)
        experiment = session.experiment
        prior = remembering(session, build_prior(session, 1.0, folder))
        pool = texture_pool(dataset, keys, prior, settings.patch, experiment.data.cache_mb)
        scale = layer_scale(pool, "picture", "structure", experiment.seed)
        loss = LayerLoss(experiment, prior, Process(scale), patches_of(session, pool, settings), settings.amp)
        trainee = Trainee(prior.network, settings)

        def finish(run: Run, done: Finished) -> None:
            about = {
                "scale": scale,
                "images_seen": done.images_seen,
                **stop_of(settings, done),
                "seed": experiment.seed,
                **versions(),
            }
            card = prior_card(session, trainee.network, about, done)
            save_prior(folder, experiment, trainee.averaged(), about, card)
            run.artifact(folder)
            run.summary["texture_std"] = scale

        fit(session, "prior", folder, trajectory, trainee, loss.stage_one, finish)
        return Trained(folder, pool.broken)


def prior_folder(session: Session) -> Path:
    """Where Stage I puts the prior of this experiment, trained or not."""
    return _prior_place(session, session.pictures("train")[1])[1]


def at_strength(session: Session) -> Session:
    """The session at the strength that its prior is trained at, which is found now if it was not.

    Raises ConfigError for a target out of reach.
    """
    dataset, keys = session.pictures("train")
    trajectory, folder = _prior_place(session, keys)
    if session.experiment.match_texture_std is None:
        return session
    with claimed(session, folder):
        return matched(session, dataset, keys, folder, trajectory)


def _prior_place(session: Session, keys: list[str]) -> tuple[str, Path]:
    experiment, settings = session.experiment, session.experiment.training.prior
    digest, target = data_digest(experiment.data, keys), experiment.match_texture_std
    parents = [digest] if target is None else [digest, f"texture {target}"]
    trajectory = trajectory_of(before_matching(session), PRIOR_PARTS, settings, *parents)
    return trajectory, folder_of(session, "prior", trajectory, settings)


def train_predictor(session: Session) -> Trained:
    """Stage II, first part: trains the initial predictor with its own loss; returns its folder."""
    experiment, settings = session.experiment, session.experiment.training.predictor
    dataset, keys = session.pictures("train")
    trajectory, folder = _predictor_place(session, keys)
    with claimed(session, folder):
        if is_done(session, folder / PREDICTOR, settings):
            session.say(f"predictor: {folder} is trained already")
            return Trained(folder, {})
        predictor: InitialPredictor = placed(session.build("predictor"), session.device)
        if not predictor.needs_training:
            return _as_it_is(session, predictor, folder)
        pool = pair_pool(session, dataset, keys, settings.patch)
        patches = patches_of(session, pool, settings)
        trainee = Trainee(predictor, settings)

        def finish(_run: Run, done: Finished) -> None:
            about = {"images_seen": done.images_seen, **stop_of(settings, done), "seed": experiment.seed, **versions()}
            save_predictor(folder, experiment, trainee.averaged(), about)

        loss = partial(prediction_loss, predictor, patches, settings.amp)
        fit(session, "predictor", folder, trajectory, trainee, loss, finish)
        return Trained(folder, pool.broken)


def _as_it_is(session: Session, predictor: InitialPredictor, folder: Path) -> Trained:
    """A predictor with nothing to train, written where a trained one would be."""
    session.say(f"predictor: '{session.experiment.predictor.name}' has nothing to train; it is taken as it is")
    if session.team.leads:
        save_predictor(folder, session.experiment, predictor.state_dict(), {"images_seen": 0, **versions()})
    session.team.wait()
    return Trained(folder, {})


def predictor_folder(session: Session) -> Path:
    """Where Stage II puts the predictor of this experiment, trained or not."""
    return _predictor_place(session, session.pictures("train")[1])[1]


def _predictor_place(session: Session, keys: list[str]) -> tuple[str, Path]:
    settings = session.experiment.training.predictor
    trajectory = trajectory_of(session, PREDICTOR_PARTS, settings, data_digest(session.experiment.data, keys))
    return trajectory, folder_of(session, "predictor", trajectory, settings)


def train_adapter(session: Session, prior_folder: Path, predictor_folder: Path) -> Trained:
    """Stage II, second part: trains the adapter on the frozen prior; returns the model's folder."""
    prior = load_prior(prior_folder, session.registry, session)
    session = session.with_(experiment=prior.describe(session.experiment))
    experiment, settings = session.experiment, session.experiment.training.adapter
    dataset, keys = session.pictures("train")
    parents = [prior.sha256, sha256(predictor_folder / PREDICTOR), data_digest(experiment.data, keys)]
    trajectory = trajectory_of(session, ADAPTER_PARTS, settings, *parents)
    folder = folder_of(session, "model", trajectory, settings)
    with claimed(session, folder):
        if is_done(session, folder / ADAPTER, settings):
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
                **stop_of(settings, done),
                "seed": experiment.seed,
                **versions(),
            }
            card = model_card(session, adapter, prior, about, done)
            save_model(folder, experiment, trainee.averaged(), predictor_folder, about, card)
            run.artifact(folder)
            trainable = count(adapter, trainable_only=True)
            share = trainable / count(prior.network)
            run.summary |= {"residual_std": measured, "trainable_parameters": trainable, "trainable_share": share}

        fit(session, "adapter", folder, trajectory, trainee, partial(loss.stage_two, adapter), finish)
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
        session.memory[key] = guided_pool(session.experiment, pairs, remembering(session, prior), predictor)
    pool: Pool = session.memory[key]
    return pool
