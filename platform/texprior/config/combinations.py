"""Refuses components that cannot work together, by what their records declare."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from texprior.config.schema import Experiment, Training
from texprior.config.validation import Complaint
from texprior.plugin import Denoiser, LrDecay, Objective, Optimizer, Process, Sampler, Schedule
from texprior.registry import Registry

STAGES = ("prior", "predictor", "adapter")
"""The trainings of an experiment, by their names in the section ``training``."""


def check_learning(experiment: Experiment, registry: Registry, complaints: list[Complaint]) -> None:
    """Adds a complaint for each combination of objective, optimizer, decay, budget and schedule that cannot work."""
    for stage in STAGES:
        settings: Training = getattr(experiment.training, stage)
        complaints.extend(_decay_faults(stage, settings, registry))
        complaints.extend(_objective_faults(experiment, stage, settings, registry))
    complaints.extend(_fold_faults(experiment))
    complaints.extend(_rung_faults(experiment, registry))
    complaints.extend(_schedule_faults(experiment, registry))
    complaints.extend(process_faults(experiment, registry))
    complaints.extend(_condition_faults(experiment, registry))


def is_open_ended(settings: Training, registry: Registry) -> bool:
    """Returns whether a training's learning rate does not depend on the length of its budget."""
    return cast("LrDecay", registry.find("lr_decay", settings.decay.name).component).open_ended


def base_is_own(registry: Registry, experiment: Experiment) -> bool:
    """Returns whether the diffusion process chooses the base of Stage II itself."""
    return cast("Process", registry.find("process", experiment.diffusion.process.name).component).own_base


def _decay_faults(stage: str, settings: Training, registry: Registry) -> Iterator[Complaint]:
    if settings.budget.seconds is not None and not is_open_ended(settings, registry):
        path = f"training.{stage}"
        reason = (
            f"decay '{settings.decay.name}' ends at the last of budget.images, but budget.seconds may stop the "
            "training before that; use decay: constant, or leave out budget.seconds"
        )
        yield Complaint(f"{path}.decay", reason, also=(f"{path}.budget.seconds",))


def _fold_faults(experiment: Experiment) -> Iterator[Complaint]:
    if experiment.training.folds > 1 and experiment.training.predictor.start_from is not None:
        reason = (
            "each fold's predictor must not have seen the photographs that it leaves out, and those weights may have; "
            "leave out training.predictor.start_from, or set training.folds to 1"
        )
        yield Complaint("training.folds", reason, also=("training.predictor.start_from",))


def _rung_faults(experiment: Experiment, registry: Registry) -> Iterator[Complaint]:
    # A rate that depends on the whole budget would make a training up to a rung no beginning of the full one.
    if experiment.sweep.rungs and not is_open_ended(experiment.training.adapter, registry):
        reason = "a trial continues after each rung, which needs training.adapter.decay: constant"
        yield Complaint("sweep.rungs", reason, also=("training.adapter.decay",))


def _objective_faults(
    experiment: Experiment, stage: str, settings: Training, registry: Registry
) -> Iterator[Complaint]:
    path, wanted = f"training.{stage}.objective", "picture" if stage == "predictor" else "layer"
    optimizer = cast("Optimizer", registry.find("optimizer", settings.optimizer.name).component)
    for at, kind, ref in registry.components_of(experiment):
        if kind != "objective" or not f"{at}.".startswith(f"{path}."):
            continue
        record = cast("Objective", registry.find(kind, ref.name).component)
        if not getattr(record, wanted):
            learns = "pictures, which have no noise level" if wanted == "picture" else "layers"
            yield Complaint(at, f"objective '{ref.name}' cannot be used here: this training learns {learns}")
        if record.trained and optimizer.single:
            reason = (
                f"objective '{ref.name}' has parts that are trained with the network, but optimizer "
                f"'{optimizer.name}' trains one network only; use optimizer: adamw"
            )
            yield Complaint(at, reason, also=(f"training.{stage}.optimizer",))


def _schedule_faults(experiment: Experiment, registry: Registry) -> Iterator[Complaint]:
    sampling = experiment.sampling
    record = cast("Schedule", registry.find("schedule", sampling.schedule.name).component)
    if sampling.sigma_max != "largest" and sampling.sigma_max > record.largest:
        reason = f"{sampling.sigma_max} is beyond the schedule '{record.name}', which ends at {record.largest}"
        yield Complaint("sampling.sigma_max", reason, also=("sampling.schedule",))


def _condition_faults(experiment: Experiment, registry: Registry) -> Iterator[Complaint]:
    if not experiment.diffusion.condition_noise_max:
        return
    path, name = "diffusion.condition_noise_max", experiment.denoiser.name
    if experiment.diffusion.condition_noise:
        reason = (
            "the condition has noise of one level, or of levels that the denoiser is told; leave one of the two out"
        )
        yield Complaint(path, reason, also=("diffusion.condition_noise",))
    if not cast("Denoiser", registry.find("denoiser", name).component).condition_level:
        reason = (
            f"denoiser '{name}' cannot be told the level of the noise on its condition (its record does not say "
            "condition_level=True); use diffusion.condition_noise, or another denoiser"
        )
        yield Complaint(path, reason, also=("denoiser",))


def process_faults(experiment: Experiment, registry: Registry) -> Iterator[Complaint]:
    """Yields a complaint for each setting of Stage II that cannot work with the diffusion process."""
    process = cast("Process", registry.find("process", experiment.diffusion.process.name).component)
    if process.own_base and experiment.process.base != "estimate":
        reason = (
            f"'{experiment.process.base}' has no effect: the process '{process.name}' chooses the base itself; leave "
            "process.base out, or use diffusion.process: texture"
        )
        yield Complaint("process.base", reason, also=("diffusion.process",))
    for path, kind, ref in registry.components_of(experiment.sampling, "sampling."):
        record = registry.find(kind, ref.name).component
        if isinstance(record, Sampler) and record.posterior and not process.posterior:
            reason = (
                f"'{ref.name}' follows the reverse chain of the process, but '{process.name}' states none; use "
                "sampling.sampler: ddpm"
            )
            yield Complaint(path, reason, also=("diffusion.process",))
