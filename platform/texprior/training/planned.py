"""Plans the trainings of a command, for dry runs.

States for each training whether it would be reused, would be done here, or is missing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from texprior.config.schema import Training
from texprior.models.folders import ADAPTER, PREDICTOR, PRIOR
from texprior.runtime.session import Session
from texprior.store import sha256
from texprior.training.adapter import adapter_parents
from texprior.training.cross_fit import fold_places
from texprior.training.differences import explain_difference
from texprior.training.folders import ADAPTER_PARTS, Place, is_trained, training_place
from texprior.training.predictor import predictor_place
from texprior.training.prior import prior_place

State = Literal["reused", "trained here", "missing"]


@dataclass(frozen=True)
class Planned:
    """What a command would do for one training."""

    stage: str
    state: State
    folder: Path | None
    """The folder that is reused or written to; None if it depends on a training that is not done yet."""
    budget_images: int
    times: int = 1
    why: str = ""
    """What makes it another training than one of this experiment that is stored; empty if none is."""

    def __str__(self) -> str:
        if self.state == "reused":
            return f"{self.stage}: reused, {self.folder}"
        if self.state == "missing":
            why = f"; {self.why}" if self.why else ""
            return f"{self.stage}: missing (it would be {self.folder}); the command needs it{why}"
        times = f", {self.times} times" if self.times > 1 else ""
        why = f"; {self.why}" if self.why and self.times == 1 else ""
        return f"{self.stage}: trained here, {self.budget_images:,} images{times}{why}"


def planned_prior(session: Session, given: Path | None = None, trains: bool = True) -> Planned:
    """Returns what a command would do for the prior.

    ``trains`` is whether the command trains a missing one.
    """
    settings = session.experiment.training.prior
    if given is not None:
        return Planned("prior", "reused", given, settings.budget.images)
    found = planned_at(session, "prior", prior_place(session), PRIOR, settings)
    return found if found.state == "reused" or trains else replace(found, state="missing", budget_images=0)


def planned_stage_two(session: Session, prior: Planned) -> list[Planned]:
    """Returns what a command would do for the predictor, those of the folds, and the adapter on a prior."""
    trainings = session.experiment.training
    predictor = planned_at(session, "predictor", predictor_place(session), PREDICTOR, trainings.predictor)
    adapter = Planned("adapter", "trained here", None, trainings.adapter.budget.images)
    if prior.folder and predictor.folder and (prior.state, predictor.state) == ("reused", "reused"):
        parents = adapter_parents(session, sha256(prior.folder / PRIOR), predictor.folder)
        place = training_place(session, "model", ADAPTER_PARTS, trainings.adapter, parents)
        adapter = planned_at(session, "adapter", place, ADAPTER, trainings.adapter)
    folds = [planned_at(session, "predictor", p, PREDICTOR, trainings.predictor) for p in fold_places(session)]
    return [predictor, *folds, adapter]


def planned_at(session: Session, stage: str, place: Place, weights: str, settings: Training) -> Planned:
    """Returns what a command would do for the training of a place."""
    if is_trained(session, place.folder / weights, settings):
        return Planned(stage, "reused", place.folder, settings.budget.images)
    why = explain_difference(session, place, place.folder.name.partition("-")[0])
    return Planned(stage, "trained here", place.folder, settings.budget.images, why=why)
