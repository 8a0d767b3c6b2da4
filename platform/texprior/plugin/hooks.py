"""Defines the hooks of a plugin: one for each kind of component."""

from __future__ import annotations

from collections.abc import Sequence

import pluggy

from texprior.plugin.records import (
    Adapter,
    Attention,
    Augmentation,
    Command,
    Component,
    Dataset,
    Decomposition,
    Degradation,
    Denoiser,
    Encoder,
    Events,
    Launcher,
    LrDecay,
    Metric,
    NoiseLevels,
    Objective,
    Optimizer,
    Predictor,
    Process,
    Sampler,
    Schedule,
)

GROUP = "texprior"
"""The name of the entry-point group and of the pluggy project."""


hookspec = pluggy.HookspecMarker(GROUP)
"""Marks the specification of a hook; only the platform uses it."""


hookimpl = pluggy.HookimplMarker(GROUP)
"""Marks a plugin's function as the implementation of a hook."""


class Hooks:
    """The specifications of all hooks, one per kind.

    Each hook returns a list of component records. Pluggy reads these methods to know the hooks, and never calls them.
    """

    @hookspec
    def texprior_degradations(self) -> Sequence[Degradation]:
        """Returns the plugin's degradations."""
        raise AssertionError("a specification is never called")

    @hookspec
    def texprior_decompositions(self) -> Sequence[Decomposition]:
        """Returns the plugin's structure-texture decompositions."""
        raise AssertionError("a specification is never called")

    @hookspec
    def texprior_encoders(self) -> Sequence[Encoder]:
        """Returns the plugin's frozen semantic encoders (net S)."""
        raise AssertionError("a specification is never called")

    @hookspec
    def texprior_denoisers(self) -> Sequence[Denoiser]:
        """Returns the plugin's denoising networks."""
        raise AssertionError("a specification is never called")

    @hookspec
    def texprior_predictors(self) -> Sequence[Predictor]:
        """Returns the plugin's initial predictors."""
        raise AssertionError("a specification is never called")

    @hookspec
    def texprior_adapters(self) -> Sequence[Adapter]:
        """Returns the plugin's adapters of a frozen denoiser."""
        raise AssertionError("a specification is never called")

    @hookspec
    def texprior_objectives(self) -> Sequence[Objective]:
        """Returns the plugin's training objectives."""
        raise AssertionError("a specification is never called")

    @hookspec
    def texprior_processes(self) -> Sequence[Process]:
        """Returns the plugin's diffusion processes."""
        raise AssertionError("a specification is never called")

    @hookspec
    def texprior_noise_levels(self) -> Sequence[NoiseLevels]:
        """Returns the plugin's distributions of the noise levels of training."""
        raise AssertionError("a specification is never called")

    @hookspec
    def texprior_optimizers(self) -> Sequence[Optimizer]:
        """Returns the plugin's optimizers."""
        raise AssertionError("a specification is never called")

    @hookspec
    def texprior_lr_decays(self) -> Sequence[LrDecay]:
        """Returns the plugin's decays of the learning rate."""
        raise AssertionError("a specification is never called")

    @hookspec
    def texprior_schedules(self) -> Sequence[Schedule]:
        """Returns the plugin's schedules of noise levels for sampling."""
        raise AssertionError("a specification is never called")

    @hookspec
    def texprior_samplers(self) -> Sequence[Sampler]:
        """Returns the plugin's samplers."""
        raise AssertionError("a specification is never called")

    @hookspec
    def texprior_metrics(self) -> Sequence[Metric]:
        """Returns the plugin's metrics of image quality."""
        raise AssertionError("a specification is never called")

    @hookspec
    def texprior_datasets(self) -> Sequence[Dataset]:
        """Returns the plugin's data sets."""
        raise AssertionError("a specification is never called")

    @hookspec
    def texprior_augmentations(self) -> Sequence[Augmentation]:
        """Returns the plugin's augmentations of training patches."""
        raise AssertionError("a specification is never called")

    @hookspec
    def texprior_attentions(self) -> Sequence[Attention]:
        """Returns the plugin's attention backends."""
        raise AssertionError("a specification is never called")

    @hookspec
    def texprior_events(self) -> Sequence[Events]:
        """Returns the plugin's observers of runs, such as trackers."""
        raise AssertionError("a specification is never called")

    @hookspec
    def texprior_launchers(self) -> Sequence[Launcher]:
        """Returns the plugin's launchers of workers."""
        raise AssertionError("a specification is never called")

    @hookspec
    def texprior_commands(self) -> Sequence[Command]:
        """Returns the plugin's commands."""
        raise AssertionError("a specification is never called")


HOOK_OF_KIND: dict[str, tuple[str, type[Component]]] = {
    "degradation": ("texprior_degradations", Degradation),
    "decomposition": ("texprior_decompositions", Decomposition),
    "encoder": ("texprior_encoders", Encoder),
    "denoiser": ("texprior_denoisers", Denoiser),
    "predictor": ("texprior_predictors", Predictor),
    "adapter": ("texprior_adapters", Adapter),
    "objective": ("texprior_objectives", Objective),
    "process": ("texprior_processes", Process),
    "noise_levels": ("texprior_noise_levels", NoiseLevels),
    "optimizer": ("texprior_optimizers", Optimizer),
    "lr_decay": ("texprior_lr_decays", LrDecay),
    "schedule": ("texprior_schedules", Schedule),
    "sampler": ("texprior_samplers", Sampler),
    "metric": ("texprior_metrics", Metric),
    "dataset": ("texprior_datasets", Dataset),
    "augmentation": ("texprior_augmentations", Augmentation),
    "attention": ("texprior_attentions", Attention),
    "events": ("texprior_events", Events),
    "launcher": ("texprior_launchers", Launcher),
    "command": ("texprior_commands", Command),
}
"""Kind -> name of its hook and class of its records."""


KINDS = tuple(HOOK_OF_KIND)
"""The names of all kinds of components."""
