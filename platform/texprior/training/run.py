"""One of the three trainings at work: it goes on from the furthest checkpoint, and every observer hears of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from texprior.config.schema import Training
from texprior.errors import ConfigError, Interrupted
from texprior.runtime.identity import pictures_digest
from texprior.runtime.session import Session
from texprior.track import Run
from texprior.training.folders import CHECKPOINT, find_checkpoints, fits_budget
from texprior.training.loop import NOTHING, Finished, Loss, Saved, Step, Trainee, train_steps


def run_training(
    session: Session,
    stage: str,
    folder: Path,
    trajectory: str,
    trainee: Trainee,
    loss: Loss,
    finish: Callable[[Run, Finished], None],
) -> None:
    """Runs the training loop from the furthest checkpoint of the same trajectory, and tells everyone."""
    settings = trainee.settings
    checkpoint = folder / CHECKPOINT
    team = session.team
    if session.fresh and team.leads:  # what is there is not what an interrupted fresh start goes on from
        for stale in folder.glob("*.safetensors"):
            stale.unlink()
    pictures = pictures_digest(session)
    found = [] if session.fresh else find_checkpoints(folder, trajectory, settings, pictures, team.size == 1)

    def taken(path: Path) -> bool:
        try:
            return trainee.load(path, lambda about: path == checkpoint or fits_budget(about, settings))
        except ConfigError:
            if path == checkpoint:
                raise
            return False  # another training's file that is broken is not needed

    start = next(filter(taken, found), None)
    if start is not None:
        session.say(f"{stage}: going on from {start} at {trainee.images_seen} images")
    team.wait()
    info = session.run_info(folder.name, folder.name, stage, resume=not session.fresh)
    with session.tracker.run(info) as run:
        window: list[Step] = []
        if start is not None and start != checkpoint:
            run.notes.append(f"Went on from {start} at {trainee.images_seen} images.")
        for event in train_steps(trainee, loss, checkpoint, {"trajectory": trajectory, "pictures": pictures}, team):
            if isinstance(event, Step):
                window.append(event)
                last = event.images_seen // settings.log_every_images
                if last > (event.images_seen - settings.batch) // settings.log_every_images:
                    run.step(event.images_seen, **_means(stage, window))
                    window = []
                shown = {"loss": event.loss, "images/s": event.images_per_s}
                session.progress(stage, event.images_seen, settings.budget.images, shown)
            elif isinstance(event, Saved):
                continue
            elif event.why == "interrupted":
                without_fresh = " without --fresh" if session.fresh else ""
                raise Interrupted(
                    f"{stage}: interrupted after {event.images_seen} of {settings.budget.images} images; "
                    f"saved in {checkpoint}; the same command{without_fresh} goes on from there"
                )
            elif team.leads:
                finish(run, event)
                run.summary |= {"images_seen": event.images_seen, "elapsed_s": event.elapsed_s}
    team.wait()


def _means(stage: str, window: Sequence[Step]) -> dict[str, float]:
    n = len(window)
    return {
        f"{stage}.loss": sum(s.loss for s in window) / n,
        f"{stage}.grad_norm": sum(s.grad_norm for s in window) / n,
        f"{stage}.lr": window[-1].lr,
        f"{stage}.images_per_s": n / sum(1 / s.images_per_s for s in window),
    }


def stop_record(settings: Training, done: Finished) -> dict[str, Any]:
    """Why a training stopped before its budget, if it did (the time itself would make equal weights unequal files)."""
    if done.why == NOTHING:
        return {"nothing_to_train": True}
    return {"stopped_after_s": settings.budget.seconds} if done.why == "seconds" else {}


def version_record() -> dict[str, Any]:
    """What weights say of the software that they were trained with."""
    from texprior._version import __version__

    return {"texprior": __version__, "torch": torch.__version__}


@dataclass(frozen=True)
class Trained:
    """A finished training: its folder, and the photographs that could not be read."""

    folder: Path
    broken: dict[str, str]
