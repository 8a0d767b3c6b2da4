"""The hooks of a plugin: one for each kind of component."""

from __future__ import annotations

from collections.abc import Sequence

import pluggy

from texprior.plugin.records import (
    Adapter,
    Attention,
    Component,
    Dataset,
    Decomposition,
    Degradation,
    Denoiser,
    Encoder,
    Events,
    Metric,
    Predictor,
    Sampler,
)

GROUP = "texprior"
"""The entry-point group, and the name of the pluggy project."""


hookspec = pluggy.HookspecMarker(GROUP)


hookimpl = pluggy.HookimplMarker(GROUP)


class Hooks:
    """One hook per kind; each returns the component records of a plugin."""

    @hookspec
    def texprior_degradations(self) -> Sequence[Degradation]:
        """Degradations."""
        raise AssertionError("a specification is never called")

    @hookspec
    def texprior_decompositions(self) -> Sequence[Decomposition]:
        """Structure-texture decompositions."""
        raise AssertionError("a specification is never called")

    @hookspec
    def texprior_encoders(self) -> Sequence[Encoder]:
        """Frozen semantic encoders (net S)."""
        raise AssertionError("a specification is never called")

    @hookspec
    def texprior_denoisers(self) -> Sequence[Denoiser]:
        """Denoising networks."""
        raise AssertionError("a specification is never called")

    @hookspec
    def texprior_predictors(self) -> Sequence[Predictor]:
        """Initial predictors."""
        raise AssertionError("a specification is never called")

    @hookspec
    def texprior_adapters(self) -> Sequence[Adapter]:
        """Adapters of a frozen denoiser."""
        raise AssertionError("a specification is never called")

    @hookspec
    def texprior_samplers(self) -> Sequence[Sampler]:
        """Samplers."""
        raise AssertionError("a specification is never called")

    @hookspec
    def texprior_metrics(self) -> Sequence[Metric]:
        """Metrics of image quality."""
        raise AssertionError("a specification is never called")

    @hookspec
    def texprior_datasets(self) -> Sequence[Dataset]:
        """Data sets."""
        raise AssertionError("a specification is never called")

    @hookspec
    def texprior_attentions(self) -> Sequence[Attention]:
        """Attention backends."""
        raise AssertionError("a specification is never called")

    @hookspec
    def texprior_events(self) -> Sequence[Events]:
        """Observers of runs, such as trackers."""
        raise AssertionError("a specification is never called")


HOOK_OF_KIND: dict[str, tuple[str, type[Component]]] = {
    "degradation": ("texprior_degradations", Degradation),
    "decomposition": ("texprior_decompositions", Decomposition),
    "encoder": ("texprior_encoders", Encoder),
    "denoiser": ("texprior_denoisers", Denoiser),
    "predictor": ("texprior_predictors", Predictor),
    "adapter": ("texprior_adapters", Adapter),
    "sampler": ("texprior_samplers", Sampler),
    "metric": ("texprior_metrics", Metric),
    "dataset": ("texprior_datasets", Dataset),
    "attention": ("texprior_attentions", Attention),
    "events": ("texprior_events", Events),
}


KINDS = tuple(HOOK_OF_KIND)
