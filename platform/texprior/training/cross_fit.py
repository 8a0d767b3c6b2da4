"""Trains the predictors of cross-fitting, each on the photographs that it will not be asked about.

An adapter learns the residual x - y_eps. On photographs that the predictor has learned, the estimate y_eps may be
closer than on those that a user restores, and the residual then weaker. With folds, the estimate of a photograph comes
from a predictor that has not seen it: Wolpert 1992, Stacked generalization.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from texprior.models.folders import PREDICTOR
from texprior.runtime.folds import Fold
from texprior.runtime.session import Session
from texprior.training.folders import Place, is_trained
from texprior.training.predictor import predictor_place, train_predictor
from texprior.training.preflight import require_folds
from texprior.training.run import Trained


def fold_places(session: Session) -> list[Place]:
    """Returns where the predictors of the folds are, trained or not; none without folds."""
    return [predictor_place(each) for each in _sessions(session)]


def train_folds(session: Session) -> list[Trained]:
    """Trains a predictor without each fold, or finds it trained; none without folds."""
    require_folds(session)
    sessions, settings = _sessions(session), session.experiment.training.predictor
    places = [predictor_place(each) for each in sessions]
    missing = sum(not is_trained(session, place.folder / PREDICTOR, settings) for place in places)
    if missing:
        session.say(f"training.folds: {missing} more predictors, each trained without a part of the photographs")
    return [train_predictor(each, place) for each, place in zip(sessions, places, strict=True)]


def _sessions(session: Session) -> list[Session]:
    folds = session.experiment.training.folds
    return [_leaving_out(session, Fold(number, folds)) for number in range(folds)] if folds > 1 else []


def _leaving_out(session: Session, fold: Fold) -> Session:
    def say(prefix: str, message: str) -> None:
        session.say(f"{prefix}: {message}")

    def progress(what: str, done: int, total: int, values: Mapping[str, float]) -> None:
        session.progress(f"{what} without {fold}", done, total, values)

    return session.with_(fold=fold, say=partial(say, f"without {fold}"), progress=progress)
