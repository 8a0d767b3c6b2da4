"""Counts the floating-point operations (FLOPs) of the trainings' steps.

Counted are the products of one image's loss and its gradient, on random pictures of the training's patch. What is
prepared for each photograph (degradation, structure, code, estimate) is not counted, nor is the optimizer.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import NormalDist, mean
from typing import cast

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from texprior.config.schema import Budget, Experiment, Training
from texprior.models.build import build_adapter, build_predictor, build_prior
from texprior.plugin import Adapter
from texprior.runtime.identity import training_digest
from texprior.runtime.session import Session
from texprior.store import write_atomically
from texprior.training.loop import Loss
from texprior.training.losses import LayerLoss
from texprior.training.preflight import layer_loss, random_prediction_loss
from texprior.training.recipe import recipe_of

STAGES = ("prior", "predictor", "adapter")
_PARTS = {
    "prior": ("decomposition", "encoder", "denoiser", "attention", "diffusion"),
    "predictor": ("predictor",),
    "adapter": ("decomposition", "encoder", "denoiser", "attention", "diffusion", "process", "adapter"),
}
"""Training -> the paths that decide what its step computes. The seed is none of them."""
_LEVELS = 16
"""Noise levels over which the cost of an objective is averaged: it may compute something at some of them alone."""


@dataclass(frozen=True)
class StepCost:
    """What one image costs in the step of a training."""

    flops: int
    """Forwards and backwards; 0 if there is nothing to train."""
    uses_prior: bool = True
    """False for an adapter that learns nothing from the prior, such as a network from initial weights."""


def flops_per_image(session: Session) -> dict[str, int]:
    """Returns training -> FLOPs of one image, (0 if it has nothing to train), of the session's experiment.

    The predictor's are those of all its trainings, one more for each fold. The prior's are 0 if the adapter learns
    nothing from it. Counts stored by ``store_flops`` are used again.
    """
    places, known = _places(session), session.caches.step_costs
    for path in places.values():
        if path not in known and path.is_file():
            known[path] = json.loads(path.read_text(encoding="utf-8"))
    if any(path not in known for path in places.values()):
        known.update({places[stage]: asdict(cost) for stage, cost in _counted(session).items()})
    found = {stage: StepCost(**known[path]) for stage, path in places.items()}
    flops = {stage: cost.flops for stage, cost in found.items()}
    if not found["adapter"].uses_prior:
        flops["prior"] = 0
    return flops | {"predictor": flops["predictor"] * predictors_of(session.experiment)}


def predictors_of(experiment: Experiment) -> int:
    """Returns how many predictors are trained: that of all photographs, and those of the folds."""
    folds = experiment.training.folds
    return 1 + folds if folds > 1 else 1


def store_flops(session: Session) -> None:
    """Writes what was counted below the experiment's folder, so that later runs reckon with the same numbers."""
    for path, cost in session.caches.step_costs.items():
        if not path.is_file():
            write_atomically(path, json.dumps(cost).encode())


def images_seen(settings: Training) -> int:
    """Returns the images that a training sees: its budget, in whole batches."""
    return math.ceil(settings.budget.images / settings.batch) * settings.batch


def training_costs(experiment: Experiment, per_image: Mapping[str, float]) -> dict[str, float]:
    """Returns training -> cost of its budget, for the costs of an image in any unit."""
    return {stage: per_image[stage] * images_seen(getattr(experiment.training, stage)) for stage in STAGES}


def count_flops(loss: Loss, is_first: bool = True) -> int:
    """Counts the FLOPs of one image's loss and its gradient; 0 if it has no gradient.

    A product of n pairs of numbers counts 2 n, as torch counts it. ``is_first`` is whether this loss was never called.
    """
    # plain attention: torch counts none of the products of its fused kernels on a CPU
    with torch.random.fork_rng(), sdpa_kernel(SDPBackend.MATH):
        # a first call may try the device, such as for its fastest precision, which is no part of a step
        if is_first and not loss([0]).requires_grad:
            return 0
        with FlopCounterMode(display=False) as counter:
            loss([0]).sum().backward()  # type: ignore[no-untyped-call]
    return int(counter.get_total_flops())


def _counted(session: Session) -> dict[str, StepCost]:
    """Counts the step of each training, with initial weights."""
    trainings, builder = session.experiment.training, session.builder
    prior, predictor = build_prior(builder, 1.0, Path()), build_predictor(builder)
    of_prior = layer_loss(session, prior, trainings.prior)
    found = {"prior": StepCost(_mean_flops(of_prior, of_prior.stage_one))}
    objective = recipe_of(session, trainings.predictor).objective
    of_predictor = random_prediction_loss(session, predictor, objective, trainings.predictor)
    found["predictor"] = StepCost(count_flops(of_predictor) if predictor.needs_training else 0)

    prior.network.requires_grad_(False)
    adapter = build_adapter(builder, prior)
    record = cast("Adapter", session.registry.find("adapter", session.experiment.adapter.name).component)
    # an adapter that neither runs the prior nor starts as a copy of it
    uses_prior = adapter.runs_prior or record.identity != "no"
    of_adapter = layer_loss(session, prior, trainings.adapter)
    return {**found, "adapter": StepCost(_mean_flops(of_adapter, partial(of_adapter.stage_two, adapter)), uses_prior)}


def _mean_flops(of_layer: LayerLoss, loss: Loss) -> int:
    """Counts ``loss``, which is a method of ``of_layer``; with an objective the mean over its noise levels."""
    first = count_flops(loss)
    if of_layer.objective is None or not first:
        return first
    levels, counts = of_layer.levels, []
    for quantile in ((i + 0.5) / _LEVELS for i in range(_LEVELS)):
        z = NormalDist().inv_cdf(quantile)
        of_layer.levels = lambda drawn, z=z: levels(torch.full_like(drawn, z))
        counts.append(count_flops(loss, is_first=False))
    return round(mean(counts))


def _places(session: Session) -> dict[str, Path]:
    """Returns training -> file of its step's cost, named by what decides it."""
    return {stage: session.folder / "flops" / f"{name}.json" for stage, name in _names(session)}


def _names(session: Session) -> Iterator[tuple[str, str]]:
    for stage in STAGES:
        settings: Training = getattr(session.experiment.training, stage)
        # how long it is trained, and from which weights, does not matter to a step
        plain = settings.model_copy(update={"budget": Budget(images=1), "start_from": None})
        # an objective's cost was once stored of one level
        mark = "-mean" if settings.objective is not None and stage != "predictor" else ""
        yield stage, f"{stage}-{training_digest(session, stage, _PARTS[stage], plain)}{mark}"
