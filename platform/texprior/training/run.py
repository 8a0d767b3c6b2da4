"""Runs one training as a tracked run.

Resumes it, reports its steps, and writes its weights at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from texprior._version import __version__
from texprior.config.schema import Training
from texprior.errors import ConfigError, Interrupted
from texprior.flow.compiled import require_compiler
from texprior.flow.precision import precision_name, settle_bfloat16
from texprior.plugin.origin import name_of
from texprior.runtime.identity import pictures_digest, start_digest
from texprior.runtime.session import Session
from texprior.store import named_folder
from texprior.track import Run
from texprior.training.differences import report_start
from texprior.training.directions import direction_notes
from texprior.training.divergence import OutputsOf, divergence_error, first_not_finite
from texprior.training.folders import CHECKPOINT, Place, find_checkpoints, fits_budget, start_file
from texprior.training.loop import NOTHING, Diverged, Finished, Loss, Step, train_steps, warmup_notes
from texprior.training.patches import TOGETHER, Patches
from texprior.training.spikes import spike_sentence
from texprior.training.step_reports import StepReports
from texprior.training.trainee import Trainee


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
    outputs_of: OutputsOf,
    patches: Patches,
) -> None:
    """Trains as a tracked run to the end of the budget.

    Starts from the furthest checkpoint of the same training. ``finish`` writes the weights. ``outputs_of`` returns what
    the components return, to find the one at fault if steps are not finite. ``patches`` is what the loss is computed
    on. Raises Interrupted, after a checkpoint was saved, if the user interrupts. Raises ConfigError for a network that
    would depend on the microbatches.
    """
    team, settings = session.team, trainee.settings
    refuse_batch_statistics(session, stage, trainee)
    pictures, checkpoint = pictures_digest(session), place.folder / CHECKPOINT
    # Only the leader reads checkpoints. All processes continue from its weights, whatever files they see.
    team.require_same(f"{stage}: the training", place.digest)
    start = _resume(session, stage, place, trainee, pictures) if team.leads else None
    if start is None:
        report_start(session, stage, place)
        for note in direction_notes(session.experiment, session.registry, [stage]):
            session.say_once(f"warning: {note}")
        # a trial's budget may be that of a rung; its sweep, like an ablation, says this once
        if trainee.parameters() and not (stage == "adapter" and session.parent_run):
            for note in warmup_notes(session.experiment, [stage]):
                session.say(f"warning: {note}")
        if team.leads and settings.start_from is not None:
            trainee.start_from(start_file(named_folder(settings.start_from), stage))
    if team.leads:
        _settle_precision(session, stage, trainee)
    trainee.follow(team)

    without = {} if session.fold is None else {"texprior.without": str(session.fold)}
    info = session.run_info(place.folder.name, place.folder.name, stage, resume=not session.fresh, **without)
    with session.tracker.run(info) as run:
        if start is not None and start != checkpoint:
            run.notes.append(f"Continued from {start} at {trainee.images_seen} images.")
        if settings.start_from is not None:
            run.notes.append(f"Started from the weights of {settings.start_from}, at {trainee.images_before} images.")
        if session.fold is not None:
            run.notes.append(f"Trained without {session.fold} of the photographs (training.folds).")
        reports = StepReports(session, stage, trainee, run, outputs_of)
        # sums of floating-point numbers depend on the number of threads
        about = {"stage": stage, "trajectory": place.digest, "pictures": pictures, "threads": torch.get_num_threads()}
        try:
            turns, seed = TOGETHER if patches.per_visit > 1 else 1, session.experiment.seed
            for event in train_steps(trainee, loss, checkpoint, about, team, seed, turns, patches.expect):
                if isinstance(event, Step):
                    reports.report(event)
                elif isinstance(event, Finished) and event.why == "interrupted":
                    raise _interrupted(session, stage, checkpoint, settings, event)
                elif isinstance(event, Finished) and team.leads:
                    reports.close()
                    _report_spikes(session, stage, settings, run, event)
                    finish(run, event)
                    run.summary |= {"images_seen": event.images_seen, "elapsed_s": event.elapsed_s}
        except Diverged as error:
            at_fault = first_not_finite(outputs_of, error.numbers, settings.microbatch or settings.batch)
            raise divergence_error(
                session, stage, error, at_fault, checkpoint if checkpoint.is_file() else start
            ) from None
    # The others leave only when the leader has written the weights, which they may read next.
    team.wait()


def refuse_compiling(stage: str, settings: Training, device: torch.device) -> None:
    """Raises ConfigError if a training wants to compile and this machine cannot."""
    if not settings.compile:
        return
    try:
        require_compiler(device)
    except ConfigError as error:
        raise ConfigError(f"training.{stage}.compile: {error}") from None


def refuse_batch_statistics(session: Session, stage: str, trainee: Trainee) -> None:
    """Raises ConfigError for batch normalisation in training mode, if a step is taken in several parts.

    Its statistics are those of a part, so that microbatch and number of processes would decide what is trained.
    """
    settings, size = trainee.settings, session.team.size
    if (settings.microbatch or settings.batch) >= settings.batch and size == 1:
        return
    layers = [n for n, m in trainee.network.named_modules() if isinstance(m, _BatchNorm) and m.training]
    if layers:
        raise ConfigError(
            f"training.{stage}: {name_of(trainee.network)} has batch normalisation, such as '{layers[0]}', so what is "
            f"trained depends on how a step of {settings.batch} images is divided (microbatch {settings.microbatch}, "
            f"{size} processes); set training.{stage}.microbatch to null in one process, or use another normalisation"
        )


def _resume(session: Session, stage: str, place: Place, trainee: Trainee, pictures: str) -> Path | None:
    """Loads the furthest checkpoint into the trainee and returns its file; None if the training starts from zero."""
    own, settings = place.folder / CHECKPOINT, trainee.settings
    if session.fresh:
        # Files of an earlier training must go: an interrupted fresh start would resume from them.
        for stale in place.folder.glob("*.safetensors"):
            stale.unlink()
        return None

    def loaded(path: Path) -> bool:
        try:
            return trainee.load(path, lambda about: path == own or fits_budget(about, settings))
        except ConfigError:
            if path == own:
                raise
            return False  # a broken file of another training is not needed

    start = next(filter(loaded, find_checkpoints(place, settings, pictures)), None)
    if start is not None:
        session.say(f"{stage}: continuing from {start} at {trainee.images_seen} images")
    return start


def _settle_precision(session: Session, stage: str, trainee: Trainee) -> None:
    """Continues in the precision of the training so far; says so, and records it, if this machine cannot."""
    device, wanted, before = session.device, trainee.settings.amp, trainee.precisions[-1:]
    now = precision_name(device, wanted)
    if before and before != [now]:
        settle_bfloat16(device, before == ["bfloat16"])
        now = precision_name(device, wanted)
    if before and before != [now]:
        session.say(
            f"warning: {stage}: continues in {now}; up to image {trainee.images_seen:,} it was trained in {before[0]}"
        )
    if before != [now]:
        trainee.precisions.append(now)


def _report_spikes(session: Session, stage: str, settings: Training, run: Run, done: Finished) -> None:
    """Says if the loss jumped shortly before the end."""
    run.summary |= {f"{stage}.loss_spikes": done.spikes} if done.spikes else {}
    if sentence := spike_sentence(stage, settings, done.spikes, done.last_spike, done.images_seen):
        session.say(f"warning: {sentence}")
        run.notes.append(f"{sentence}.")


def _interrupted(session: Session, stage: str, checkpoint: Path, settings: Training, event: Finished) -> Interrupted:
    without_fresh = " without --fresh" if session.fresh else ""
    return Interrupted(
        f"{stage}: interrupted after {event.images_seen} of {settings.budget.images} images; "
        f"saved in {checkpoint}; the same command{without_fresh} continues from there"
    )


def stop_record(settings: Training, done: Finished) -> dict[str, Any]:
    """Returns why a training stopped before its budget, if it did.

    Also returns what it skipped and where it started, if that was not from initial weights. The elapsed time is left
    out: it would make files of equal weights unequal.
    """
    if done.why == NOTHING:
        return {"nothing_to_train": True}
    return {
        **({"stopped_after_s": settings.budget.seconds} if done.why == "seconds" else {}),
        **({"skipped_steps": done.skipped_steps} if done.skipped_steps else {}),
        **({} if settings.start_from is None else {"start_from": start_digest(settings.start_from)}),
        **({"images_before": done.images_before} if done.images_before else {}),
    }


def version_record() -> dict[str, Any]:
    """Returns the versions of the software that weights were trained with."""
    return {"texprior": __version__, "torch": torch.__version__}


def training_record(trainee: Trainee) -> dict[str, Any]:
    """Returns what weights were trained with: software, and the precision that the device computed in."""
    return {**version_record(), "precision": ", then ".join(trainee.precisions)}
