"""Collects what the record of a run contains.

The record has the commit, the budgets, the components with versions and citations, and pictures.
"""

from __future__ import annotations

import functools
import json
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from texprior.config.schema import Data, Experiment
from texprior.digests import digest
from texprior.plugin import Ref
from texprior.registry import Registry
from texprior.track.observer import DataInput


@functools.cache
def current_commit() -> str:
    """Returns the git commit of the current folder.

    It ends with ``+`` if tracked files differ from it. It is empty without git.
    """

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], capture_output=True, text=True, check=True, timeout=10).stdout

    try:
        dirty = git("status", "--porcelain", "--untracked-files=no").strip()
        return git("rev-parse", "HEAD").strip() + ("+" if dirty else "")
    except (OSError, subprocess.SubprocessError):
        return ""


def provenance_tags(experiment: Experiment) -> dict[str, str]:
    """Returns the tags of a run's commit and of its budgets in images.

    The commit has a tag only if there is a commit.
    """
    trainings = {name: getattr(experiment.training, name).budget.images for name in ("prior", "predictor", "adapter")}
    budgets = {"texprior.budget": ", ".join(f"{name} {images} images" for name, images in trainings.items())}
    return {**budgets, **({"texprior.commit": c} if (c := current_commit()) else {})}


def data_input(data: Data, split: str, keys: Sequence[str]) -> DataInput:
    """Describes the pictures of a split for a tracker."""
    ref = getattr(data, split)
    source = json.dumps(ref.model_dump(mode="json"), sort_keys=True)
    context = "training" if split == "train" else "evaluation"
    return DataInput(context, f"{ref.name} {split}", digest([source, list(keys)]), source, len(keys))


def flatten_paths(data: Mapping[str, Any] | list[Any], prefix: str = "", lists: bool = True) -> dict[str, Any]:
    """Returns nested mappings, and lists unless told otherwise, as dotted paths. Empty ones are values."""
    items: Iterable[tuple[object, Any]] = data.items() if isinstance(data, Mapping) else enumerate(data)
    flat: dict[str, Any] = {}
    for key, value in items:
        if (isinstance(value, dict) or (lists and isinstance(value, list))) and value:
            flat |= flatten_paths(value, f"{prefix}{key}.", lists)
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def component_tags(experiment: Experiment, registry: Registry) -> dict[str, str]:
    """Returns dotted path -> ``distribution/name==version (API n)`` of every component in use."""
    tags: dict[str, str] = {}
    for path, kind, ref in registry.components_of(experiment):
        tags |= component_tag(registry, path, kind, ref)
    return tags


def citations_of(experiment: Experiment, registry: Registry) -> str:
    """Returns the BibTeX of every component in use, each entry once."""
    used = registry.components_of(experiment)
    found = (registry.find(kind, ref.name).component.citation.strip() for _, kind, ref in used)
    return "\n\n".join(dict.fromkeys(citation for citation in found if citation))


def component_tag(registry: Registry, path: str, kind: str, ref: Ref) -> dict[str, str]:
    """Returns the tag of one component."""
    entry = registry.find(kind, ref.name)
    return {f"texprior.component.{path}": f"{entry.qualified}=={entry.plugin.version} (API {entry.component.api})"}
