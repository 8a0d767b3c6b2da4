"""Says which augmentations turn patches whose degradation has a direction."""

from __future__ import annotations

from collections.abc import Collection
from typing import cast

from texprior.config.schema import Experiment
from texprior.plugin import Augmentation, Degradation
from texprior.registry import Registry

_STAGES = ("predictor", "adapter")
"""The trainings that see degraded pictures."""


def direction_notes(experiment: Experiment, registry: Registry, stages: Collection[str]) -> list[str]:
    """Says which augmentations of these trainings turn patches whose degradation has a direction.

    Returns nothing about degraded pictures that the data set itself has: what is in them is not known.
    """
    turning, directed = _turning(experiment, registry), _directed(experiment, registry)
    if not (turning and directed and set(stages) & set(_STAGES)):
        return []
    return [
        f"data.augmentations: {_quoted(turning)} turns patches, and degradation {_quoted(directed)} has a direction: "
        "half of the trained patches show it falling sideways; set data.augmentations: [mirror]"
    ]


def _turning(experiment: Experiment, registry: Registry) -> list[str]:
    found = [registry.find("augmentation", ref.name).component for ref in experiment.data.augmentations]
    return [record.name for record in found if cast("Augmentation", record).directions == "turns"]


def _directed(experiment: Experiment, registry: Registry) -> list[str]:
    """Returns the directional degradations, also those inside of others such as ``sequence``."""
    named = [ref.name for _, kind, ref in registry.components_of(experiment) if kind == "degradation"]
    found = [registry.find("degradation", name).component for name in named]
    return [record.name for record in found if cast("Degradation", record).directional]


def _quoted(names: list[str]) -> str:
    return ", ".join(f"'{name}'" for name in dict.fromkeys(names))
