"""Runs one cell of an ablation.

Trains its model, or takes the given one, then restores and scores pictures.
"""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import torch
from torch import Tensor

from texprior.ablations.cells import CONFIG, OUTCOME, Cell, Outcome, forget_outcome, picture_of
from texprior.decompositions.comparison import LinearPrediction
from texprior.errors import ImageError, Interrupted, MachineFault, TexpriorError, error_text
from texprior.evaluation.evaluate import Evaluated, Keep, evaluate, write_evaluation
from texprior.evaluation.predictor_alone import evaluate_predictor
from texprior.flow.decompose import Layers, decompose
from texprior.flow.image import load_image, save_image
from texprior.flow.precision import precision_name
from texprior.models.build import Model, Prior, count_parameters
from texprior.models.folders import ADAPTER, PREDICTOR, PRIOR, load_model, load_predictor
from texprior.runtime.machine_faults import name_machine_faults
from texprior.runtime.run_record import component_tags
from texprior.runtime.session import Session
from texprior.store import about_tensors, write_atomically
from texprior.track import Run, RunInfo
from texprior.training.adapter import train_adapter
from texprior.training.compute import flops_per_image
from texprior.training.folders import images_behind
from texprior.training.given_prior import given_prior
from texprior.training.held_out import explained_alone
from texprior.training.predictor import train_predictor
from texprior.training.prior import train_prior
from texprior.training.run import Trained

_PHOTOGRAPHS = 12
"""Training photographs for the R² of the texture from the structure: half are fitted on, half are judged."""


def run_cell(session: Session, cell: Cell, parent: RunInfo, tags: Mapping[str, str]) -> Outcome:
    """Trains, restores and scores a cell as a tracked run, and writes how it ended.

    An error becomes an outcome with its reason. Only an interruption is raised again, after saving, and MachineFault,
    because the other cells would fail for it too: without an outcome if a disk is full, with one if a device is lost.
    """
    inner = session.with_(experiment=cell.experiment, parent_run=parent.id)
    info = inner.run_info(cell.folder.name, cell.name, "cell", True, **tags)
    forget_outcome(cell)  # an outcome that is there is another experiment's
    with name_machine_faults():
        write_atomically(cell.folder / CONFIG, cell.experiment.to_yaml().encode())
    started = time.monotonic()
    try:
        with inner.tracker.run(info) as run, name_machine_faults():
            outcome = _work(inner.with_(parent_run=info.id), cell, run, started)
    except Interrupted as stopped:
        # the cell itself may have crashed the device; without an outcome it would do so at every start
        if isinstance(stopped, MachineFault) and stopped.device:
            _write_outcome(cell, _failed(cell, stopped, started))
        raise
    except Exception as error:  # out of memory, a diverged training, a plugin's mistake: the other cells go on
        # the prepared photographs may be why memory ran out
        session.caches.stage_two_pictures.clear()
        outcome = _failed(cell, error, started)
    with name_machine_faults():
        _write_outcome(cell, outcome)
    return outcome


def _failed(cell: Cell, error: Exception, started: float) -> Outcome:
    return Outcome("failed", error_text(error), cell.arm, cell.seed, seconds=time.monotonic() - started)


def _write_outcome(cell: Cell, outcome: Outcome) -> None:
    write_atomically(cell.folder / OUTCOME, json.dumps(asdict(outcome), indent=2).encode())


def _work(session: Session, cell: Cell, run: Run, started: float) -> Outcome:
    def keep(number: int, key: str, versions: Mapping[str, Tensor]) -> None:
        if number < cell.pictures:
            # a network may overflow on a single picture: its scores are NaN, and the others are kept
            save_image(versions["restored"].nan_to_num(), picture_of(cell, key))

    evaluated, outcome = (_with_model if cell.prior else _with_predictor)(session, cell, keep)
    if not evaluated.scores.scores:
        raise TexpriorError(f"none of the pictures to judge by could be read: {'; '.join(evaluated.broken.values())}")
    write_evaluation(evaluated, cell.folder)
    run.summary |= evaluated.scores.restored_means()
    run.artifact(cell.folder)
    if evaluated.sheet:
        run.image("sheet", load_image(cell.folder / "sheet.png"))
    return replace(
        outcome,
        flops={} if cell.model else _flops(session),
        seconds=time.monotonic() - started,
        broken={**outcome.broken, **evaluated.broken},
    )


def _with_model(session: Session, cell: Cell, keep: Keep) -> tuple[Evaluated, Outcome]:
    """Scores a whole model: what is found, and what is known of the model."""
    model, broken = _model_of(session, cell)
    evaluated = evaluate(session, model, keep)
    about = about_tensors(model.folder / ADAPTER)
    weights = {
        "prior": model.prior.folder / PRIOR,
        "predictor": model.folder / PREDICTOR,
        "adapter": model.folder / ADAPTER,
    }
    # what a training of this ablation started from is not counted, as its report says; a given prior's start is
    seen = {stage: int(about_tensors(path)["images_seen"]) for stage, path in weights.items()}
    given = given_prior(session.experiment) is not None
    return evaluated, Outcome(
        "finished",
        arm=cell.arm,
        seed=cell.seed,
        model=str(cell.model or model.folder.name),
        images={**seen, "prior": images_behind(about_tensors(weights["prior"]))} if given else seen,
        texture_std=model.prior.scale,
        texture_r2=None if cell.model else _texture_r2(session, model.prior),
        explained=explained_alone(model.prior.folder),
        decomposition=model.prior.experiment.decomposition.model_dump(mode="json"),
        residual_std=float(about["residual_std"]),
        trainable_parameters=count_parameters(model.adapter),
        broken=broken,
        versions={
            **_software(about),
            "precision of the sampling": precision_name(session.device, session.experiment.sampling.amp),
            **component_tags(session.experiment, session.registry),
        },
    )


def _with_predictor(session: Session, cell: Cell, keep: Keep) -> tuple[Evaluated, Outcome]:
    """Scores the predictor alone: what is found, and what is known of the predictor."""
    trained = train_predictor(session, cell.predictor)
    evaluated = evaluate_predictor(session, load_predictor(trained.folder, session.builder), keep)
    about = about_tensors(trained.folder / PREDICTOR)
    return evaluated, Outcome(
        "finished",
        arm=cell.arm,
        seed=cell.seed,
        model=trained.folder.name,
        images={"predictor": int(about["images_seen"])},
        broken=trained.broken,
        versions={**_software(about), **component_tags(session.experiment, session.registry)},
    )


def _flops(session: Session) -> dict[str, int]:
    """What the cell's trainings cost per image; empty if it cannot be counted, which must not cost the trainings."""
    try:
        return flops_per_image(session)
    except Exception as error:  # plain attention may not fit where the training's own did
        session.say(f"warning: the FLOPs of the trainings could not be counted: {error_text(error)}")
        return {}


def _software(about: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(about[name]) for name in ("texprior", "torch")}


def _model_of(session: Session, cell: Cell) -> tuple[Model, dict[str, str]]:
    """The cell's model, trained if none is given, and the photographs that could not be read."""
    if cell.model is not None:
        return load_model(cell.model, session.builder, cell.prior and cell.prior.folder), {}
    given = given_prior(session.experiment)
    prior = Trained(given, {}) if given else train_prior(session, cell.prior)
    predictor = train_predictor(session, cell.predictor)
    trained = train_adapter(session, prior.folder, predictor.folder)
    model = load_model(trained.folder, session.builder, prior.folder)
    return model, {**prior.broken, **predictor.broken, **trained.broken}


@torch.no_grad()
def _texture_r2(session: Session, prior: Prior) -> float | None:
    """R² of the texture from the structure: fitted on every other training photograph, judged on the rest.

    None without two photographs, or if there is no texture.
    """
    dataset, keys = session.of_stage_one().pictures("train")
    pictures = []
    for key in keys[:_PHOTOGRAPHS]:
        with contextlib.suppress(ImageError):  # the training names it
            pictures.append(dataset.load(key).clean[None].to(session.device))
    if len(pictures) < 2:
        return None
    guess = LinearPrediction()
    for take, some in ((guess.fit, pictures[::2]), (guess.judge, pictures[1::2])):
        for picture in some:
            take(Layers(*(layer.cpu() for layer in decompose(picture, prior.decomposition))))
    found = guess.r2()
    return found if math.isfinite(found) else None
