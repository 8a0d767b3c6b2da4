"""Runs one training as a tracked run.

Resumes it, reports its steps, and writes its weights at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from texprior._version import __version__
from texprior.config.schema import Training
from texprior.errors import ConfigError, Interrupted
from texprior.runtime.identity import pictures_digest
from texprior.runtime.session import Session
from texprior.track import Run
from texprior.training.folders import CHECKPOINT, Place, find_checkpoints, fits_budget
from texprior.training.loop import NOTHING, Finished, Loss, Step, Trainee, train_steps


@dataclass(frozen=True)
class Trained:
    """A finished training: its folder, and the photographs that could not be read, with reasons."""

    folder: Path
    broken: dict[str, str]


def run_training(
    session: Session,
    stage: str,
    place: Place,
    trainee: Trainee,
    loss: Loss,
    finish: Callable[[Run, Finished], None],
) -> None:
    """Trains as a tracked run to the end of the budget.

    Starts from the furthest checkpoint of the same training. ``finish`` writes the weights. Raises Interrupted, after a
    checkpoint was saved, if the user interrupts.
    """
    team, pictures, checkpoint = session.team, pictures_digest(session), place.folder / CHECKPOINT
    start = _resume(session, stage, place, trainee, pictures)
    # No process begins before all have their start: the leader could overwrite a checkpoint that another still reads.
    team.wait()

    info = session.run_info(place.folder.name, place.folder.name, stage, resume=not session.fresh)
    with session.tracker.run(info) as run:
        if start is not None and start != checkpoint:
            run.notes.append(f"Continued from {start} at {trainee.images_seen} images.")
        steps = _StepReports(session, stage, trainee.settings, run)
        for event in train_steps(trainee, loss, checkpoint, {"trajectory": place.digest, "pictures": pictures}, team):
            if isinstance(event, Step):
                steps.report(event)
            elif isinstance(event, Finished) and event.why == "interrupted":
                raise _interrupted(session, stage, checkpoint, trainee.settings, event)
            elif isinstance(event, Finished) and team.leads:
                finish(run, event)
                run.summary |= {"images_seen": event.images_seen, "elapsed_s": event.elapsed_s}
    # The others leave only when the leader has written the weights, which they may read next.
    team.wait()


def _resume(session: Session, stage: str, place: Place, trainee: Trainee, pictures: str) -> Path | None:
    """Loads the furthest checkpoint into the trainee and returns its file; None if the training starts from zero."""
    own, settings = place.folder / CHECKPOINT, trainee.settings
    if session.fresh:
        # Files of an earlier training must go: an interrupted fresh start would resume from them.
        for stale in place.folder.glob("*.safetensors") if session.team.leads else ():
            stale.unlink()
        return None

    def loaded(path: Path) -> bool:
        try:
            return trainee.load(path, lambda about: path == own or fits_budget(about, settings))
        except ConfigError:
            if path == own:
                raise
            return False  # a broken file of another training is not needed

    start = next(filter(loaded, find_checkpoints(place, settings, pictures, session.team.size == 1)), None)
    if start is not None:
        session.say(f"{stage}: continuing from {start} at {trainee.images_seen} images")
    return start


class _StepReports:
    """Reports steps: progress at each one, and to the run the means over ``log_every_images``."""

    def __init__(self, session: Session, stage: str, settings: Training, run: Run) -> None:
        self.session, self.stage, self.settings, self.run = session, stage, settings, run
        self.window: list[Step] = []

    def report(self, step: Step) -> None:
        every, batch = self.settings.log_every_images, self.settings.batch
        self.window.append(step)
        if step.images_seen // every > (step.images_seen - batch) // every:
            self.run.step(step.images_seen, **_means(self.stage, self.window))
            self.window = []
        shown = {"loss": step.loss, "images/s": step.images_per_s}
        self.session.progress(self.stage, step.images_seen, self.settings.budget.images, shown)


def _interrupted(session: Session, stage: str, checkpoint: Path, settings: Training, event: Finished) -> Interrupted:
    without_fresh = " without --fresh" if session.fresh else ""
    return Interrupted(
        f"{stage}: interrupted after {event.images_seen} of {settings.budget.images} images; "
        f"saved in {checkpoint}; the same command{without_fresh} continues from there"
    )


def _means(stage: str, window: Sequence[Step]) -> dict[str, float]:
    n = len(window)
    return {
        f"{stage}.loss": sum(s.loss for s in window) / n,
        f"{stage}.grad_norm": sum(s.grad_norm for s in window) / n,
        f"{stage}.lr": window[-1].lr,
        f"{stage}.images_per_s": n / sum(1 / s.images_per_s for s in window),
    }


def stop_record(settings: Training, done: Finished) -> dict[str, Any]:
    """Returns why a training stopped before its budget, if it did.

    The elapsed time is left out: it would make files of equal weights unequal.
    """
    if done.why == NOTHING:
        return {"nothing_to_train": True}
    return {"stopped_after_s": settings.budget.seconds} if done.why == "seconds" else {}


def version_record() -> dict[str, Any]:
    """Returns the versions of the software that weights were trained with."""
    return {"texprior": __version__, "torch": torch.__version__}
