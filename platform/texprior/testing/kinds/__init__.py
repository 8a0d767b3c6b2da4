"""Imports the rules of every kind.

This fills the catalogue in the order of the documentation.
"""

from texprior.testing.kinds import (  # noqa: I001 (the order of the documentation)
    declared,
    behaviour,
    degradation,
    decomposition,
    encoder,
    attention,
    denoiser,
    predictor,
    adapter,
    trained,
    noise_levels,
    schedule,
    augmentation,
    objective,
    optimizer,
    lr_decay,
    sampler,
    metric,
    sets,
    dataset,
    events,
    tracker,
)

__all__ = [
    "adapter",
    "attention",
    "augmentation",
    "behaviour",
    "dataset",
    "declared",
    "decomposition",
    "degradation",
    "denoiser",
    "encoder",
    "events",
    "lr_decay",
    "metric",
    "noise_levels",
    "objective",
    "optimizer",
    "predictor",
    "sampler",
    "schedule",
    "sets",
    "tracker",
    "trained",
]
