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
    process,
    sampler,
    reverse_chain,
    metric,
    sets,
    dataset,
    events,
    tracker,
)

__all__ = [
    "adapter",
    "attention",
    "behaviour",
    "dataset",
    "declared",
    "decomposition",
    "degradation",
    "denoiser",
    "encoder",
    "events",
    "metric",
    "predictor",
    "process",
    "reverse_chain",
    "sampler",
    "sets",
    "tracker",
    "trained",
]
