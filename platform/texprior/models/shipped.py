"""Finds the models that texprior ships, by the names of their tasks. Imports no torch.

``texprior models export`` makes their folders.
"""

from __future__ import annotations

from pathlib import Path

from texprior.errors import ConfigError
from texprior.models.prior_search import PRIOR, find_prior
from texprior.store import about_tensors, model_of_task, named_folder, shipped_models

_ADAPTER = "adapter.safetensors"


def chosen_model(folder: str | Path | None, task: str | None, ways: str) -> Path:
    """Returns the folder that is named by its path or its task. Raises ConfigError if none is, or both.

    ``ways`` says how each is named, for the message.
    """
    if folder is not None and task is None:
        return named_folder(folder)
    if task is not None and folder is None:
        return model_of_task(task)
    raise ConfigError(f"name the model by one of {ways}; the tasks are: {', '.join(shipped_models()) or 'none'}")


def prior_of(model: Path) -> Path:
    """Returns the folder of a model's prior; a prior's is its own. Raises ConfigError if it is missing."""
    if (model / PRIOR).is_file():
        return model
    return find_prior(model, about_tensors(model / _ADAPTER))
