"""Scores the folders of pictures that an ablation compares with its arms: what other programs restored."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from texprior.digests import digest
from texprior.errors import ConfigError
from texprior.evaluation.foreign import named_pictures, score_restored
from texprior.evaluation.scores import Scores, read_scores
from texprior.runtime.identity import experiment_identity
from texprior.runtime.session import Session
from texprior.store import sha256


def foreign_scores(session: Session, into: Path | None) -> dict[str, Scores]:
    """Returns name -> scores of each folder of ``ablation.foreign``, judged as the session's experiment says.

    Scores are kept below ``into``, if it is given, and used again until a picture changes. Raises ConfigError if a
    picture of the split is missing in a folder, cannot be read, or has another size.
    """
    folders: Mapping[str, str] = session.experiment.ablation.foreign
    return {name: _scores(session, name, Path(folder), into) for name, folder in folders.items()}


def _scores(session: Session, name: str, folder: Path, into: Path | None) -> Scores:
    try:
        stored = None if into is None else into / f"foreign-{_content(session, folder)}.csv"
        if stored is not None and stored.is_file():
            return read_scores(stored)
        found = score_restored(session, "restored", folder).scores
    except ConfigError as error:
        raise ConfigError(f"ablation.foreign.{name}: {error}") from None
    if stored is None:
        return found
    found.write(stored)
    # as they are read: the same numbers the first time and later
    return read_scores(stored)


def _content(session: Session, folder: Path) -> str:
    """Returns the digest of all that decides the scores: the pictures, and how they are judged."""
    files = {name: sha256(path) for name, path in named_pictures(folder).items()}
    experiment = session.experiment
    judged_on = list(session.pictures(experiment.evaluation.split).keys)
    identity = experiment_identity(experiment)
    how = {part: identity[part] for part in ("data", "degradation", "metrics", "evaluation")}
    return digest([files, judged_on, how], sort_keys=True)
