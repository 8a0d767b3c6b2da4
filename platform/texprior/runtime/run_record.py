"""Collects what the record of a run contains.

The record has the commit, the command, the budgets, the components with versions and citations, and pictures.
"""

from __future__ import annotations

import functools
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from texprior.addresses import redact
from texprior.config.schema import Data, Experiment
from texprior.digests import digest
from texprior.plugin import Ref
from texprior.registry import Registry
from texprior.track.observer import DataInput


@functools.cache
def current_commit() -> str:
    """Returns the git commit of the source that texprior runs from.

    It ends with ``+`` if tracked files differ from it. It is empty for an installed release, which its version names:
    the current folder, and the folder of the environment, may belong to a repository of something else.
    """
    return commit_of(Path(__file__))


def commit_of(file: Path) -> str:
    """Returns the commit of the repository that tracks a file; empty if none does, or without git."""
    # Git's variables, as they are set in a hook, name a repository whatever the folder is.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(file.parent), *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=10).stdout

    try:
        git("ls-files", "--error-unmatch", file.name)
        dirty = git("status", "--porcelain", "--untracked-files=no").strip()
        return git("rev-parse", "HEAD").strip() + ("+" if dirty else "")
    except (OSError, subprocess.SubprocessError):
        return ""


def typed_command() -> str:
    """Returns the command line of texprior that this process runs, without passwords.

    Empty if another program uses texprior.
    """
    program = Path(sys.argv[0]) if sys.argv else Path()
    # ``python -m texprior`` names its file
    is_texprior = program.stem == "texprior" or (program.name == "__main__.py" and program.parent.name == "texprior")
    return shlex.join(["texprior", *map(redact, sys.argv[1:])]) if is_texprior else ""


def provenance_tags(experiment: Experiment) -> dict[str, str]:
    """Returns the tags of texprior's commit, of the command, and of the run's budgets in images.

    Commit and command have a tag only if there is one.
    """
    trainings = {name: getattr(experiment.training, name).budget.images for name in ("prior", "predictor", "adapter")}
    budgets = {"texprior.budget": ", ".join(f"{name} {images} images" for name, images in trainings.items())}
    known = {"texprior.commit": current_commit(), "texprior.command": typed_command()}
    return {**budgets, **{name: value for name, value in known.items() if value}}


def data_input(data: Data, split: str, keys: Sequence[str]) -> DataInput:
    """Describes the pictures of a split for a tracker."""
    ref = getattr(data, split)
    source = json.dumps(ref.model_dump(mode="json"), sort_keys=True)
    context = "training" if split in ("train", "prior") else "evaluation"
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
