"""Builds what a training learns by: its objective, its optimizer, and the decay of its learning rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import nn

from texprior.config.schema import Training
from texprior.flow.kinds import LR_DECAY, OBJECTIVE, OPTIMIZER
from texprior.flow.objective import Objective
from texprior.flow.optimize import Group, LearningRateDecay, OptimizerFactory
from texprior.models.build import to_device
from texprior.plugin import Optimizer
from texprior.registry import Registry
from texprior.runtime.session import Session


@dataclass(frozen=True)
class Recipe:
    """How a network is trained."""

    optimizer: OptimizerFactory
    decay: LearningRateDecay
    averages: bool = False
    """Whether the optimizer keeps the average of the weights that is stored."""
    objective: Objective | None = None
    """None is the squared error of F for a layer, and the predictor's own loss for a picture."""

    def own_parameters(self) -> dict[str, nn.Parameter]:
        """Returns the objective's trained parameters by name."""
        if self.objective is None:
            return {}
        return {f"objective/{name}": p for name, p in self.objective.named_parameters() if p.requires_grad}


def build_recipe(settings: Training, registry: Registry, device: torch.device, seed: int = 0) -> Recipe:
    """Builds the recipe that the settings of a training name; the initial weights of its parts are keyed by a seed."""
    record = cast("Optimizer", registry.find("optimizer", settings.optimizer.name).component)
    objective = settings.objective and registry.build(OBJECTIVE, settings.objective, seed=seed)
    return Recipe(
        registry.build(OPTIMIZER, settings.optimizer),
        registry.build(LR_DECAY, settings.decay),
        record.averages,
        to_device(objective, device) if objective else None,
    )


def recipe_of(session: Session, settings: Training) -> Recipe:
    """Builds the recipe of a training of the session's experiment."""
    return build_recipe(settings, session.registry, session.device, session.experiment.seed)


def groups_of(parameters: Mapping[str, nn.Parameter], recipe: Recipe, settings: Training) -> list[Group]:
    """Returns the parameters of a network, and of the objective, as groups that are trained alike."""
    network = list(parameters.values())
    spared = [p for p in network if p.ndim <= 1] if settings.weight_decay and not settings.decay_norms else []
    left_out = {id(p) for p in spared}
    groups = [Group([p for p in network if id(p) not in left_out], settings.weight_decay)]
    groups += [Group(spared, 0.0)] if spared else []
    own = list(recipe.own_parameters().values())
    if own and recipe.objective is not None:
        groups.append(Group(own, 0.0, recipe.objective.own_lr))
    return groups
