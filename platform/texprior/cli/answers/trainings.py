"""The answers of the commands that train, and of their dry runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from texprior.cli.answers.base import Answer
from texprior.scaffold.looked_at import LookedAt
from texprior.training.dry_run import Measured
from texprior.training.planned import Planned


class PriorAnswer(Answer):
    """A trained prior."""

    prior: Path
    """Its folder."""
    broken: dict[str, str]
    """Photographs that could not be read: key -> reason."""


class AdaptAnswer(Answer):
    """A trained model."""

    model: Path
    """Its folder."""
    predictor: Path
    prior: Path
    broken: dict[str, str]
    """Photographs that could not be read: key -> reason."""


class DryRun(Answer):
    """What a command would train here."""

    experiment: dict[str, Any]
    """The resolved experiment; *All settings* describes it."""
    device: str
    stages: list[Measured]
    """What each kind of training takes here."""
    trainings: list[Planned]
    """Whether each training is reused, done here, or missing."""
    notes: list[str]
    """What cannot be concluded, or is questionable."""


class InitAnswer(Answer):
    """A new experiment file."""

    experiment: Path
    lists: Path | None
    """The folder of the lists of train, val and test; null if there are none."""
    splits: dict[str, int]
    """Split -> number of pictures."""
    pictures: dict[str, LookedAt]
    """What the pictures are -> what was seen of them."""
    notes: list[str]
    stages: list[Measured]
    """What each training takes here."""
    next: list[str]
    """The commands to type next."""
