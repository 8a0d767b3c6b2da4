"""Where a run comes from: the commit that it ran in, its budgets, and the pictures that it saw."""

from __future__ import annotations

import functools
import hashlib
import json
import subprocess
from collections.abc import Iterable, Sequence
from typing import Any

from texprior.config.schema import Data, Experiment
from texprior.plugin import Ref
from texprior.registry import Registry
from texprior.track.observer import DataInput


@functools.cache
def current_commit() -> str:
    """The git commit that the command runs in, with ``+`` where files differ from it; empty where there is none."""

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], capture_output=True, text=True, check=True, timeout=10).stdout

    try:
        dirty = git("status", "--porcelain", "--untracked-files=no").strip()
        return git("rev-parse", "HEAD").strip() + ("+" if dirty else "")
    except (OSError, subprocess.SubprocessError):
        return ""


def provenance_tags(experiment: Experiment) -> dict[str, str]:
    """The commit, where there is one, and the budgets in images."""
    trainings = {name: getattr(experiment.training, name).budget.images for name in ("prior", "predictor", "adapter")}
    budgets = {"texprior.budget": ", ".join(f"{name} {images} images" for name, images in trainings.items())}
    return {**budgets, **({"texprior.commit": c} if (c := current_commit()) else {})}


def data_input(data: Data, split: str, keys: Sequence[str]) -> DataInput:
    """The pictures of a split of an experiment."""
    ref = getattr(data, split)
    source = json.dumps(ref.model_dump(mode="json"), sort_keys=True)
    digest = hashlib.sha256(json.dumps([source, list(keys)]).encode()).hexdigest()[:10]
    context = "training" if split == "train" else "evaluation"
    return DataInput(context, f"{ref.name} {split}", digest, source, len(keys))


def flatten_paths(data: Any, prefix: str = "") -> dict[str, Any]:
    """Nested mappings and lists as dotted paths."""
    items: Iterable[tuple[Any, Any]] = data.items() if isinstance(data, dict) else enumerate(data)
    flat: dict[str, Any] = {}
    for key, value in items:
        if isinstance(value, dict | list) and value:
            flat |= flatten_paths(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def component_tags(experiment: Experiment, registry: Registry) -> dict[str, str]:
    """Dotted path -> ``distribution/name==version (API n)`` of every component that is used."""
    tags: dict[str, str] = {}
    for path, kind, ref in registry.components_of(experiment):
        tags |= component_tag(registry, path, kind, ref)
    return tags


def citations_of(experiment: Experiment, registry: Registry) -> str:
    """The BibTeX of every component in use, each entry once."""
    used = registry.components_of(experiment)
    found = (registry.find(kind, ref.name).component.citation.strip() for _, kind, ref in used)
    return "\n\n".join(dict.fromkeys(citation for citation in found if citation))


def component_tag(registry: Registry, path: str, kind: str, ref: Ref) -> dict[str, str]:
    """The tag of one component."""
    entry = registry.find(kind, ref.name)
    return {f"texprior.component.{path}": f"{entry.qualified}=={entry.plugin.version} (API {entry.component.api})"}
