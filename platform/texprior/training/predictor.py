"""Stage II, first part: trains the initial predictor."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from texprior.flow.predict import InitialPredictor
from texprior.models.build import to_device
from texprior.models.folders import PREDICTOR, save_predictor
from texprior.runtime.identity import data_digest
from texprior.runtime.session import Session
from texprior.track import Run
from texprior.training.data import pair_pool, patches_of
from texprior.training.folders import PREDICTOR_PARTS, folder_of, hold_folder, is_trained, trajectory_of
from texprior.training.loop import Finished, Trainee
from texprior.training.losses import prediction_loss
from texprior.training.run import Trained, run_training, stop_record, version_record


def train_predictor(session: Session) -> Trained:
    """Stage II, first part: trains the initial predictor with its own loss; returns its folder."""
    experiment, settings = session.experiment, session.experiment.training.predictor
    dataset, keys = session.pictures("train")
    trajectory, folder = _predictor_place(session, keys)
    with hold_folder(session, folder):
        if is_trained(session, folder / PREDICTOR, settings):
            session.say(f"predictor: {folder} is trained already")
            return Trained(folder, {})
        predictor: InitialPredictor = to_device(session.build("predictor"), session.device)
        if not predictor.needs_training:
            return _as_it_is(session, predictor, folder)
        pool = pair_pool(session, dataset, keys, settings.patch)
        patches = patches_of(session, pool, settings)
        trainee = Trainee(predictor, settings)

        def finish(_run: Run, done: Finished) -> None:
            about = {
                "images_seen": done.images_seen,
                **stop_record(settings, done),
                "seed": experiment.seed,
                **version_record(),
            }
            save_predictor(folder, experiment, trainee.averaged(), about)

        loss = partial(prediction_loss, predictor, patches, settings.amp)
        run_training(session, "predictor", folder, trajectory, trainee, loss, finish)
        return Trained(folder, pool.broken)


def _as_it_is(session: Session, predictor: InitialPredictor, folder: Path) -> Trained:
    """A predictor with nothing to train, written where a trained one would be."""
    session.say(f"predictor: '{session.experiment.predictor.name}' has nothing to train; it is taken as it is")
    if session.team.leads:
        save_predictor(folder, session.experiment, predictor.state_dict(), {"images_seen": 0, **version_record()})
    session.team.wait()
    return Trained(folder, {})


def predictor_folder(session: Session) -> Path:
    """Where Stage II puts the predictor of this experiment, trained or not."""
    return _predictor_place(session, session.pictures("train")[1])[1]


def _predictor_place(session: Session, keys: list[str]) -> tuple[str, Path]:
    settings = session.experiment.training.predictor
    trajectory = trajectory_of(session, PREDICTOR_PARTS, settings, data_digest(session.experiment.data, keys))
    return trajectory, folder_of(session, "predictor", trajectory, settings)
