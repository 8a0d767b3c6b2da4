"""Defines everything that a plugin author imports.

This is: hooks, component records, Options, Tune, Ref, Kind, Weights and API.

This package does not import torch, so that listing, validating and ``--help`` stay fast. A plugin's entry module should
import only this package. The platform imports an implementation (the record's ``impl``) when it is first used.

- ``records``: the component records that a plugin's hooks return, one class for each kind
- ``options``: ``Options``, the base class of a component's options, and ``Tune``
- ``added``: ``Before``, which marks a setting that earlier versions did not have
- ``hooks``: the hook of each kind, and the markers ``hookspec`` and ``hookimpl``
- ``references``: how an experiment and a component's options name components
- ``api_1``: translates records that were written for plugin API 1
- ``tags``: warns of tags that look like a declaration
- ``origin``: which component an instance was built from
- ``typed_kind``: a kind together with the type of its implementations
"""

from texprior.plugin.added import Before
from texprior.plugin.hooks import GROUP, HOOK_OF_KIND, KINDS, Hooks, hookimpl, hookspec
from texprior.plugin.options import Options, Tune
from texprior.plugin.records import (
    API,
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
    Weights,
)
from texprior.plugin.references import Kind, Ref

__all__ = [
    "API",
    "GROUP",
    "HOOK_OF_KIND",
    "KINDS",
    "Adapter",
    "Attention",
    "Augmentation",
    "Before",
    "Command",
    "Component",
    "Dataset",
    "Decomposition",
    "Degradation",
    "Denoiser",
    "Encoder",
    "Events",
    "Hooks",
    "Kind",
    "Launcher",
    "LrDecay",
    "Metric",
    "NoiseLevels",
    "Objective",
    "Optimizer",
    "Options",
    "Predictor",
    "Process",
    "Ref",
    "Sampler",
    "Schedule",
    "Tune",
    "Weights",
    "hookimpl",
    "hookspec",
]
