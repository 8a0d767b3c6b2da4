"""Times the real networks and the real training step on random pictures.

It writes no files and keeps no trained weights.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

import torch
from torch import nn

from texprior.config.schema import Budget, Training
from texprior.flow.predict import InitialPredictor
from texprior.models.build import build_adapter, build_predictor, build_prior, count_parameters
from texprior.runtime.session import Session
from texprior.runtime.split_check import require_splits
from texprior.training.compute import predictors_of
from texprior.training.held_out import COST_IMAGES
from texprior.training.loop import Loss, Step, train_steps
from texprior.training.memory import LossOf, require_memory
from texprior.training.preflight import layer_loss, prior_at, random_prediction_loss, require_adapters
from texprior.training.recipe import recipe_of
from texprior.training.run import refuse_compiling
from texprior.training.threads import choose_threads, own_threads
from texprior.training.trainee import Trainee

_WARM_UP, _TIMED = 1, 2
"""Steps before the clock starts, and steps that are timed.

The first step allocates memory and is slower. Two timed steps are few, so that a dry run takes seconds."""
_MUCH = 0.02
"""Share of a training's images from which on a note says what comes after them."""
_NEVER_S = 1e9
"""Seconds between checkpoints: about 30 years, so that a dry run never writes one."""


@dataclass(frozen=True)
class Measured:
    """Time and memory that a training would take on this machine."""

    stage: str
    parameters: int
    """Parameters of all networks that take part, including the frozen ones."""
    trainable: int
    images_per_s: float
    """Speed of the training step; 0 if there is nothing to train."""
    budget_images: int
    expected_s: float
    """Expected time of all repetitions (``times``) together, without preparing photographs and without evaluations."""
    memory_mb: float | None
    """Peak memory while it trains, without prepared photographs; None if it cannot be measured."""
    times: int = 1
    """Number of times it is trained, such as once for each trial of a sweep."""
    uncompiled_images_per_s: float | None = None
    """Speed of the step without ``training.STAGE.compile``; None if the training does not compile."""
    compile_s: float = 0.0
    """Time that compiling takes at the start of each of them."""
    share: float | None = None
    """An adapter's trainable parameters divided by the denoiser's parameters; None for other trainings."""
    held_out: bool = True
    """Whether it is measured on held-out photographs at its end; the trials of a sweep are not."""


def measure_prior(session: Session) -> list[Measured]:
    """Measures Stage I. Raises ConfigError if the training pictures are missing."""
    session.refuse_overlap_with_prior()
    session = session.of_stage_one()
    session.pictures("train")
    settings = session.experiment.training.prior
    prior = build_prior(session.builder, 1.0, Path())

    def loss_of(chosen: Training) -> Loss:
        return layer_loss(session, prior, chosen, chosen.compile).stage_one

    return [_measured(session, "prior", settings, [prior.network, prior.encoder], loss_of)]


def measure_stage_two(session: Session, prior_folder: Path | None) -> list[Measured]:
    """Measures the predictor and the adapter.

    They work on a trained prior or, if none is given, on one with initial weights.
    """
    require_splits(session, "train")
    trainings, prior = session.experiment.training, prior_at(prior_folder, session.builder)
    session = session.with_(experiment=prior.describe(session.experiment))
    predictor = build_predictor(session.builder)
    adapter = build_adapter(session.builder, prior)

    def of_layer(chosen: Training) -> Loss:
        return partial(layer_loss(session, prior, chosen, chosen.compile).stage_two, adapter)

    parts = [adapter, prior.network, prior.encoder, predictor]
    of_adapter = _measured(session, "adapter", trainings.adapter, parts, of_layer)
    of_predictor, predictors = measure_predictor(session, predictor), predictors_of(session.experiment)
    return [
        replace(of_predictor, times=predictors, expected_s=predictors * of_predictor.expected_s),
        replace(of_adapter, share=of_adapter.trainable / count_parameters(prior.network)),
    ]


def measure_predictor(session: Session, predictor: InitialPredictor | None = None) -> Measured:
    """Measures the predictor, which is built if it is not given."""
    predictor = predictor or build_predictor(session.builder)
    if not predictor.needs_training:
        return Measured("predictor", count_parameters(predictor), 0, 0.0, 0, 0.0, None)
    settings = session.experiment.training.predictor
    objective = recipe_of(session, settings).objective

    def of_prediction(chosen: Training) -> Loss:
        return random_prediction_loss(session, predictor, objective, chosen, chosen.compile)

    return _measured(session, "predictor", settings, [predictor], of_prediction)


def measure_sweep(session: Session, prior_folder: Path | None, trials: int) -> list[Measured]:
    """Measures a sweep's trainings.

    Measures the prior (if none is given) and the predictor once, and the adapter once per trial. The adapter is that of
    the experiment; a trial may choose another one.
    """
    require_splits(session, "train", "val")
    require_adapters(session, prior_folder)
    stage_one = [] if prior_folder else measure_prior(session)
    predictor, adapter = measure_stage_two(session, prior_folder)
    return [
        *stage_one,
        predictor,
        replace(adapter, times=trials, expected_s=trials * adapter.expected_s, held_out=False),
    ]


def _measured(session: Session, stage: str, settings: Training, networks: list[nn.Module], loss_of: LossOf) -> Measured:
    """Measures the training of the first of the networks that take part."""
    trained, eager = networks[0], settings.model_copy(update={"compile": False})
    require_memory(stage, settings, lambda chosen: loss_of(chosen.model_copy(update={"compile": False})), *networks)
    refuse_compiling(stage, settings, session.device)
    # The generator state is forked, so that a dry run does not change random numbers that come after it.
    with own_threads(), _peak_memory(session.device) as peak_mb, torch.random.fork_rng():
        choose_threads(session, stage, eager, loss_of, *networks)
        rate, first_s = _speed(session, trained, settings, loss_of(settings))
        memory = peak_mb()
        plain = _speed(session, trained, eager, loss_of(eager))[0] if settings.compile and rate else None
    compile_s = max(0.0, first_s - settings.batch / rate) if plain else 0.0
    limit = settings.budget.seconds or float("inf")
    return Measured(
        stage,
        sum(count_parameters(network) for network in networks),
        count_parameters(trained, trainable_only=True),
        rate,
        settings.budget.images if rate else 0,
        min(settings.budget.images / rate + compile_s, limit) if rate else 0.0,
        memory,
        uncompiled_images_per_s=plain,
        compile_s=compile_s,
    )


def _speed(session: Session, network: nn.Module, settings: Training, loss: Loss) -> tuple[float, float]:
    """Returns the speed of a training step, images/s, and the time of the first step, s; (0, 0) without parameters."""
    # An endless budget and no checkpoint: the loop is left after the timed steps, before it could save or stop.
    endless = settings.model_copy(update={"budget": Budget(images=2**62), "checkpoint_every_s": _NEVER_S})
    events = train_steps(Trainee(network, endless, recipe_of(session, endless)), loss, Path(), {})
    taken = [e for e in islice(events, _WARM_UP + _TIMED) if isinstance(e, Step)]
    events.close()  # type: ignore[attr-defined]
    if not taken:
        return 0.0, 0.0
    first, *steps = taken
    # a mean over time, not over steps: images of the timed steps divided by their seconds
    return len(steps) / sum(1 / step.images_per_s for step in steps), settings.batch / first.images_per_s


def compile_note(m: Measured) -> str | None:
    """Says whether compiling makes a training faster, what it costs, and after how many images it has paid."""
    if m.uncompiled_images_per_s is None:
        return None
    saved = 1 / m.uncompiled_images_per_s - 1 / m.images_per_s
    speeds = f"{m.images_per_s:.1f} images/s compiled, {m.uncompiled_images_per_s:.1f} without; "
    if saved <= 0:
        return f"{m.stage}: {speeds}compiling makes it no faster here: set training.{m.stage}.compile to false"
    images, budget = m.compile_s / saved, m.budget_images
    advice = "" if images < budget else f", more than its budget: set training.{m.stage}.compile to false"
    return f"{m.stage}: {speeds}compiling takes {m.compile_s:.0f} s, which {images:,.0f} images win back{advice}"


def held_out_note(m: Measured) -> str | None:
    """Says what measuring on held-out photographs adds to a training, if that is much of it."""
    # rows of several kinds are numbered, and some rows are no trainings
    images = COST_IMAGES.get(m.stage.partition(" ")[0], 0)
    if not (m.held_out and m.images_per_s and images > _MUCH * m.budget_images):
        return None
    return f"{m.stage}: measuring what it learned on held-out photographs takes as long as {images} of its images"


@contextmanager
def _peak_memory(device: torch.device) -> Iterator[Callable[[], float | None]]:
    """Yields a function that returns the peak memory so far, in MB.

    On a GPU this is the memory of its tensors, else the memory of the whole process.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        yield lambda: torch.cuda.max_memory_allocated(device) / 2**20
    else:
        yield _peak_of_process_mb


def _peak_of_process_mb() -> float | None:
    try:
        import resource
    except ImportError:  # not on Windows
        return None
    # ru_maxrss is in bytes on macOS and in KiB on Linux
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
