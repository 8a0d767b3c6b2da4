"""Gives the arms of an ablation equal compute, and adds the predictor alone.

The predictor, given all that prior, predictor and adapter cost, is the rival that a texture prior must beat.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from texprior.ablations.arms import Arm
from texprior.config import Said
from texprior.config.dotted_paths import nest_value
from texprior.config.schema import Experiment, Training
from texprior.errors import ConfigError, TexpriorError, error_text
from texprior.runtime.session import Session
from texprior.training.compute import STAGES, flops_per_image, images_seen, predictors_of, training_costs

PREDICTOR_ALONE = "predictor alone"
"""Name of the arm of which only the predictor is trained."""
_SCALED = "training.adapter.budget.images"
"""The budget that equal compute sets: arms share priors and predictors, which keep their names like this."""
T = TypeVar("T")


def with_equal_compute(session: Session, arms: Sequence[Arm], baseline: Arm) -> list[Arm]:
    """Returns the arms with the budgets of ``ablation.equal``, and with the predictor alone.

    Raises ConfigError that names each arm that cannot have such a budget.
    """
    ablation = session.experiment.ablation
    if ablation.model is not None or not (ablation.equal or ablation.predictor_alone):
        return list(arms)
    complaints: list[str] = []
    total = _tried(baseline.name, partial(_total, session, baseline), complaints)
    makers: dict[str, Callable[[], Arm | None]] = {}
    if total is not None:
        others = [arm for arm in arms if arm is not baseline and ablation.equal]
        makers = {arm.name: partial(_equal, session, arm, total) for arm in others}
        if ablation.predictor_alone:
            if PREDICTOR_ALONE in {arm.name for arm in arms}:
                complaints.append(
                    f"there are two arms '{PREDICTOR_ALONE}'; rename yours, or set ablation.predictor_alone to false"
                )
            makers[PREDICTOR_ALONE] = partial(_alone, session, baseline, total)
    made = {name: _tried(name, make, complaints) for name, make in makers.items()}
    if complaints:
        raise ConfigError("\n".join(f"ablation: {complaint}" for complaint in complaints) + "\nnothing was started")
    alone = made.pop(PREDICTOR_ALONE, None) if ablation.predictor_alone else None
    if len(arms) == 1 and alone is None:
        raise ConfigError(f"ablation: there is only '{baseline.name}' to compare: its predictor has nothing to train")
    return [made.get(arm.name) or arm for arm in arms] + ([alone] if alone else [])


def missing_rival(session: Session, arms: Sequence[Arm]) -> str:
    """Says that there is no arm of the predictor alone although it is asked for; empty if there is one."""
    ablation = session.experiment.ablation
    if ablation.model is not None or not ablation.predictor_alone or any(arm.alone for arm in arms):
        return ""
    return f"there is no arm '{PREDICTOR_ALONE}': the baseline's predictor has nothing to train"


def compute_unit(experiment: Experiment) -> str:
    """Returns the unit in which compute is equal: ``images`` or ``flops``."""
    return experiment.ablation.equal or "flops"


def _tried(arm: str, make: Callable[[], T], complaints: list[str]) -> T | None:
    """Calls ``make``; an error becomes a complaint about the arm."""
    try:
        return make()
    except Exception as error:  # a plugin may raise anything; it is the reason why this arm cannot work
        complaints.append(f"arm '{arm}': {error if isinstance(error, TexpriorError) else error_text(error)}")
        return None


def _per_image(session: Session, arm: Arm) -> Mapping[str, int]:
    """Returns training -> what one image costs. Raises ConfigError for a training that a time limit may stop."""
    costs = flops_per_image(session.with_(experiment=arm.experiment))
    for stage in STAGES:
        if costs[stage] and _settings(arm.experiment, stage).budget.seconds is not None:
            raise ConfigError(
                f"training.{stage}.budget.seconds: a time limit may stop a training before it has cost as much as that "
                "of another arm; set it to null, or ablation.equal to null and ablation.predictor_alone to false"
            )
    by_images = compute_unit(session.experiment) == "images"
    times = {"predictor": predictors_of(arm.experiment)}
    return {stage: times.get(stage, 1) * (cost > 0) for stage, cost in costs.items()} if by_images else costs


def _total(session: Session, arm: Arm) -> float:
    """Returns what all trainings of an arm cost."""
    return sum(training_costs(arm.experiment, _per_image(session, arm)).values())


def _equal(session: Session, arm: Arm, total: float) -> Arm:
    """Returns the arm with the adapter's budget that makes its trainings cost ``total``."""
    per_image = _per_image(session, arm)
    if any(_SCALED in Said.of(nest_value(path, value)) for path, value in arm.values.items()):
        raise ConfigError(f"{_SCALED}: ablation.equal sets it; leave it out, or set ablation.equal to null")
    if not per_image["adapter"]:
        raise ConfigError(
            "its adapter has nothing to train, so no budget makes it cost as much as the baseline; leave this arm out, "
            "or set ablation.equal to null"
        )
    spent = sum(cost for stage, cost in training_costs(arm.experiment, per_image).items() if stage != "adapter")
    settings = arm.experiment.training.adapter
    images = _whole_batches((total - spent) / per_image["adapter"], settings)
    if images < settings.batch:
        raise ConfigError(
            f"its prior and predictor cost {spent / total:.0%} of what the baseline's trainings cost together, so that "
            "nothing is left for its adapter; lower their budgets in this arm"
        )
    # an arm that costs as much anyway stays as it is written, so that its stored cells are found
    return arm if images == images_seen(settings) else _with_budget(arm, "adapter", images)


def _alone(session: Session, baseline: Arm, total: float) -> Arm | None:
    """Returns the arm of the baseline's predictor, trained for ``total``; None if it has nothing to train."""
    # without an adapter nothing learns from folds
    trainings = baseline.experiment.training.model_copy(update={"folds": 1})
    rival = replace(baseline, experiment=baseline.experiment.model_copy(update={"training": trainings}))
    per_image, settings = _per_image(session, rival)["predictor"], trainings.predictor
    if not per_image:
        return None
    images = _whole_batches(total / per_image, settings)
    return replace(_with_budget(rival, "predictor", images), name=PREDICTOR_ALONE, values={}, alone=True)


def _whole_batches(images: float, settings: Training) -> int:
    """Returns the nearest number of images that a training can see."""
    return round(images / settings.batch) * settings.batch


def _settings(experiment: Experiment, stage: str) -> Training:
    settings: Training = getattr(experiment.training, stage)
    return settings


def _with_budget(arm: Arm, stage: str, images: int) -> Arm:
    """Returns the arm with another budget of one of its trainings."""
    experiment, settings = arm.experiment, _settings(arm.experiment, stage)
    budget = settings.budget.model_copy(update={"images": images})
    changed = {stage: settings.model_copy(update={"budget": budget})}
    trainings = experiment.training.model_copy(update=changed)
    return replace(
        arm,
        experiment=experiment.model_copy(update={"training": trainings}),
        budgets={f"training.{stage}.budget.images": images},
    )
