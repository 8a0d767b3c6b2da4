"""Reads, overrides, validates and resolves experiment files. Imports no torch.

- ``schema``: the sections of an experiment; ``schema_studies``: the sections ``evaluation``, ``sweep`` and ``ablation``
- ``resolver``: loads a file, applies overrides, validates, and fills in every component's options
- ``yaml_reader``: reads YAML files with ``extends`` and records the line of every key
- ``dotted_paths``: reads values at dotted paths and merges one mapping into another
- ``validation``: turns errors in an experiment into sentences with file, line and path
- ``search_space``: the search space of a sweep; ``search_dimension``: one dimension of it
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
