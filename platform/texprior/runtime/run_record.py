"""Where a run comes from: the commit that it ran in, its budgets, and the pictures that it saw."""

from __future__ import annotations

import functools
import hashlib
import json
import subprocess
from collections.abc import Sequence

from texprior.config.schema import Data, Experiment
from texprior.track.observer import DataInput


@functools.cache
def commit() -> str:
    """The git commit that the command runs in, with ``+`` where files differ from it; empty where there is none."""

    def git(*arguments: str) -> str:
        return subprocess.run(["git", *arguments], capture_output=True, text=True, check=True, timeout=10).stdout

    try:
        dirty = git("status", "--porcelain", "--untracked-files=no").strip()
        return git("rev-parse", "HEAD").strip() + ("+" if dirty else "")
    except (OSError, subprocess.SubprocessError):
        return ""


def tags_of(experiment: Experiment) -> dict[str, str]:
    """The commit, where there is one, and the budgets in images."""
    trainings = {name: getattr(experiment.training, name).budget.images for name in ("prior", "predictor", "adapter")}
    budgets = {"texprior.budget": ", ".join(f"{name} {images} images" for name, images in trainings.items())}
    return {**budgets, **({"texprior.commit": c} if (c := commit()) else {})}


def data_input(data: Data, split: str, keys: Sequence[str]) -> DataInput:
    """The pictures of a split of an experiment."""
    ref = getattr(data, split)
    source = json.dumps(ref.model_dump(mode="json"), sort_keys=True)
    digest = hashlib.sha256(json.dumps([source, list(keys)]).encode()).hexdigest()[:10]
    context = "training" if split == "train" else "evaluation"
    return DataInput(context, f"{ref.name} {split}", digest, source, len(keys))
