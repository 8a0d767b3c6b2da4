"""Experiments: what a file may say, how it is read, overridden, validated and resolved. Imports no torch.

- ``schema``: the sections of an experiment; ``schema_studies``: the sections ``evaluation``, ``sweep`` and ``ablation``
- ``resolver``: loads a file, applies overrides, validates, and writes out every component's options
- ``yaml_reader``: YAML files with ``extends``, and the line of every key
- ``dotted_paths``: values at dotted paths, and how one mapping is merged over another
- ``validation``: what is wrong with an experiment, as sentences with file, line and path
- ``search_space``: what a sweep searches; ``search_dimension``: one dimension of it
"""

from texprior.config.dotted_paths import get_path, merge
from texprior.config.resolver import load, resolve, with_overrides, written
from texprior.config.schema import (
    Budget,
    Data,
    Diffusion,
    Experiment,
    ProcessChoice,
    Sampling,
    Training,
    Trainings,
    component_paths,
)
from texprior.config.schema_studies import Ablation, Evaluation, Range, Section, Sweep
from texprior.config.yaml_reader import parse_override
from texprior.plugin import Kind
from texprior.plugin.references import refs_of

__all__ = [
    "Ablation",
    "Budget",
    "Data",
    "Diffusion",
    "Evaluation",
    "Experiment",
    "Kind",
    "ProcessChoice",
    "Range",
    "Sampling",
    "Section",
    "Sweep",
    "Training",
    "Trainings",
    "component_paths",
    "get_path",
    "load",
    "merge",
    "parse_override",
    "refs_of",
    "resolve",
    "with_overrides",
    "written",
]
