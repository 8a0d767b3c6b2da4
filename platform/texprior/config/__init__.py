"""Reads, overrides, validates and resolves experiment files. Imports no torch.

- ``schema``: the sections of an experiment; ``schema_studies``: the sections ``evaluation``, ``sweep`` and ``ablation``
- ``resolver``: loads a file, applies overrides, validates, and fills in every component's options
- ``yaml_reader``: reads YAML files with ``extends`` and records the line of every key
- ``dotted_paths``: reads values at dotted paths and merges one mapping into another
- ``said``: which settings an experiment states itself
- ``validation``: turns errors in an experiment into sentences with file, line and path
- ``search_space``: the search space of a sweep; ``search_dimension``: one dimension of it
"""

from texprior.config.dotted_paths import get_path, merge
from texprior.config.resolver import load, load_said, resolve, said_in, with_overrides, written
from texprior.config.said import ALL_SAID, Said
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
    "ALL_SAID",
    "Ablation",
    "Budget",
    "Data",
    "Diffusion",
    "Evaluation",
    "Experiment",
    "Kind",
    "ProcessChoice",
    "Range",
    "Said",
    "Sampling",
    "Section",
    "Sweep",
    "Training",
    "Trainings",
    "component_paths",
    "get_path",
    "load",
    "load_said",
    "merge",
    "parse_override",
    "refs_of",
    "resolve",
    "said_in",
    "with_overrides",
    "written",
]
