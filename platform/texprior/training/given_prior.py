"""Uses the trained prior that an experiment names, in place of one of its own."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from texprior.config.schema import Budget, Experiment
from texprior.models.folders import ADAPTER, CONFIG, PRIOR, folder_builder
from texprior.models.prior_search import find_prior
from texprior.runtime.session import Session
from texprior.store import about_tensors, named_folder, require_folder, sha256
from texprior.training.folders import Place, images_behind
from texprior.training.preflight import on_prior


def given_prior(experiment: Experiment) -> Path | None:
    """Returns the folder of the prior that an experiment names; None if it names none.

    If it names a model, this is the model's prior. Raises ConfigError if no trained prior is there.
    """
    if experiment.prior is None:
        return None
    folder = named_folder(experiment.prior)
    if (folder / ADAPTER).is_file():
        return find_prior(folder, about_tensors(folder / ADAPTER))
    return require_folder(folder, "prior", CONFIG, PRIOR)


def given_place(experiment: Experiment) -> Place | None:
    """Returns the place of the prior that an experiment names, by its content; None if it names none."""
    folder = given_prior(experiment)
    if folder is None:
        return None
    state = (folder / PRIOR).stat()
    return Place(_digest(folder / PRIOR, state.st_mtime_ns, state.st_size), folder)


@cache
def _digest(file: Path, _changed_ns: int, _size: int) -> str:
    """Returns the sha256 of a file; all cells of an ablation ask for that of one prior."""
    return sha256(file)


def on_given_prior(session: Session) -> Session:
    """Returns the session with Stage I of the prior that its experiment names, and with that training's budget.

    Raises ConfigError if the experiment states other settings of Stage I.
    """
    folder = given_prior(session.experiment)
    if folder is None:
        return session
    experiment = on_prior(session, folder).experiment
    about = about_tensors(folder / PRIOR)
    trained = folder_builder(folder, session.registry, session.builder).experiment.training.prior
    # what was spent on it, so that compute is reckoned with what the prior really cost
    settings = trained.model_copy(update={"budget": Budget(images=images_behind(about)), "start_from": None})
    trainings = experiment.training.model_copy(update={"prior": settings})
    # the photographs that it was trained on are its own
    data = experiment.data.model_copy(update={"prior": None})
    return session.with_(experiment=experiment.model_copy(update={"training": trainings, "data": data}))
