"""Stage I: trains the denoiser on the texture layer of clean photographs."""

from __future__ import annotations

from pathlib import Path

from texprior.diffusion.process import Process
from texprior.models.build import build_prior, with_structure_cache
from texprior.models.folders import PRIOR, save_prior
from texprior.runtime.identity import data_digest
from texprior.runtime.session import Session
from texprior.track import Run
from texprior.training.cards import prior_card
from texprior.training.data import layer_scale, patches_of, texture_pool
from texprior.training.folders import PRIOR_PARTS, folder_of, hold_folder, is_trained, trajectory_of
from texprior.training.loop import Finished, Trainee
from texprior.training.losses import LayerLoss
from texprior.training.match_strength import match_prior_strength, without_strength
from texprior.training.run import Trained, run_training, stop_record, version_record


def train_prior(session: Session) -> Trained:
    """Stage I: trains the denoiser on the texture layer of clean photographs; returns the prior's folder."""
    settings = session.experiment.training.prior
    dataset, keys = session.pictures("train")
    trajectory, folder = _prior_place(session, keys)
    with hold_folder(session, folder):
        if is_trained(session, folder / PRIOR, settings):
            session.say(f"prior: {folder} is trained already")
            return Trained(folder, {})
        session = match_prior_strength(session, dataset, keys, folder, trajectory)
        experiment = session.experiment
        prior = with_structure_cache(session, build_prior(session, 1.0, folder))
        pool = texture_pool(dataset, keys, prior, settings.patch, experiment.data.cache_mb)
        scale = layer_scale(pool, "picture", "structure", experiment.seed)
        loss = LayerLoss(experiment, prior, Process(scale), patches_of(session, pool, settings), settings.amp)
        trainee = Trainee(prior.network, settings)

        def finish(run: Run, done: Finished) -> None:
            about = {
                "scale": scale,
                "images_seen": done.images_seen,
                **stop_record(settings, done),
                "seed": experiment.seed,
                **version_record(),
            }
            card = prior_card(session, trainee.network, about, done)
            save_prior(folder, experiment, trainee.averaged(), about, card)
            run.artifact(folder)
            run.summary["texture_std"] = scale

        run_training(session, "prior", folder, trajectory, trainee, loss.stage_one, finish)
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
    with hold_folder(session, folder):
        return match_prior_strength(session, dataset, keys, folder, trajectory)


def _prior_place(session: Session, keys: list[str]) -> tuple[str, Path]:
    experiment, settings = session.experiment, session.experiment.training.prior
    digest, target = data_digest(experiment.data, keys), experiment.match_texture_std
    parents = [digest] if target is None else [digest, f"texture {target}"]
    trajectory = trajectory_of(without_strength(session), PRIOR_PARTS, settings, *parents)
    return trajectory, folder_of(session, "prior", trajectory, settings)
