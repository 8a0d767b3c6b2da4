"""The cells of an ablation: an arm trained under one seed, a whole pipeline from the prior to its scores.

A cell's folder is named by all that decides its scores, so that a cell is found again by whatever ablation holds it.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import yaml

from texprior.ablations.arms import Arm
from texprior.config.schema import Experiment
from texprior.config.schema_studies import Ablation, Sweep
from texprior.evaluation.run import judged_experiment
from texprior.evaluation.scores import Scores, read_scores
from texprior.models.folders import PREDICTOR, PRIOR, identify_model
from texprior.runtime.identity import data_digest, experiment_identity, foreign_components, stored_identity
from texprior.runtime.session import Session
from texprior.training.predictor import predictor_folder
from texprior.training.prior import prior_folder

CONFIG, SCORES, OUTCOME, PICTURES = "config.yaml", "scores.csv", "cell.json", "restored"


@dataclass(frozen=True)
class Cell:
    """An arm under one seed: its resolved experiment, its folder, and those of the trainings that it stands on."""

    arm: str
    seed: int
    experiment: Experiment
    folder: Path
    prior: Path
    predictor: Path
    pictures: int
    """How many restored pictures it keeps."""
    model: Path | None = None
    """A trained model that is sampled; None where the cell trains its own."""

    @property
    def name(self) -> str:
        return f"{self.arm}, seed {self.seed}"

    @property
    def claim(self) -> Path:
        """The file whose lock says that somebody is at this cell."""
        return self.folder.parent.parent / ".locks" / f"{self.experiment.name}-{self.folder.name}.lock"

    def unfinished(self) -> set[Path]:
        """The trainings before the adapter's that are still to be done."""
        if self.model is not None:
            return set()
        weights = {self.prior: PRIOR, self.predictor: PREDICTOR}
        return {folder for folder, name in weights.items() if not (folder / name).is_file()}


@dataclass(frozen=True)
class Outcome:
    """How a cell ended, and what a report says of it besides its scores."""

    status: Literal["finished", "failed"]
    reason: str = ""
    arm: str = ""
    seed: int = 0
    model: str = ""
    """The model's folder, beside the cell's; that of ``ablation.model`` as it was given."""
    images: Mapping[str, int] = field(default_factory=dict)
    """Training -> images that it saw."""
    texture_std: float | None = None
    """Standard deviation of the texture layer that the prior learned, measured on the training photographs."""
    texture_r2: float | None = None
    """Share of that layer's variance that a linear filter of the structure foretells; see ``textures``."""
    decomposition: Mapping[str, Any] = field(default_factory=dict)
    """The prior's, at the strength that was found where it was matched."""
    residual_std: float | None = None
    trainable_parameters: int = 0
    seconds: float = 0.0
    """What this cell took where it ran; work that it shared with an earlier cell took nothing."""
    broken: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)


def cell_of(session: Session, arm: Arm, seed: int) -> Cell:
    """A cell of the session's ablation. Raises ConfigError where its pictures are missing."""
    if session.experiment.ablation.model is not None:
        return _sampled(session, arm, seed)
    inner = session.with_(experiment=_alone(session, arm, seed=seed))
    split = inner.experiment.evaluation.split
    seen = [inner.pictures(name)[1] for name in ("train", split)]
    content = [
        experiment_identity(inner.experiment),
        data_digest(inner.experiment.data, seen[0]),
        seen[1],
        foreign_components(inner),
    ]
    folders = (prior_folder(inner), predictor_folder(inner))
    pictures = session.experiment.ablation.pictures
    return Cell(arm.name, seed, inner.experiment, _place(session, content), *folders, pictures)


def _sampled(session: Session, arm: Arm, seed: int) -> Cell:
    """A cell that samples the ablation's model: the seed is that of the pictures' degradation and noise."""
    ablation = session.experiment.ablation
    model = Path(str(ablation.model))
    trained, prior, weights = identify_model(model, session)
    own = judged_experiment(_alone(session, arm), trained)
    judged = own.evaluation.model_copy(update={"seed": seed})
    inner = session.with_(experiment=own.model_copy(update={"evaluation": judged}))
    keys = inner.pictures(ablation.split)[1]
    content = [experiment_identity(inner.experiment), weights, keys, foreign_components(inner)]
    return Cell(arm.name, seed, inner.experiment, _place(session, content), prior, model, ablation.pictures, model)


def _alone(session: Session, arm: Arm, **update: Any) -> Experiment:
    """An arm's experiment as a cell's own: judged in one way, with nothing else to compare."""
    ablation = session.experiment.ablation
    judged = arm.experiment.evaluation.model_copy(
        update={"split": ablation.split, "steps": [], "texture_strengths": [], "controls": False, "choose_by": None}
    )
    update |= {"evaluation": judged, "sweep": Sweep(), "ablation": Ablation(model=ablation.model)}
    return arm.experiment.model_copy(update=update)


def _place(session: Session, content: list[Any]) -> Path:
    """The folder of a cell, named by its content."""
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:10]
    return session.folder / f"cell-{digest}"


def outcome_of(cell: Cell) -> Outcome | None:
    """How a cell ended; None where it did not, or where what lies in its folder belongs to another experiment."""
    try:
        outcome = Outcome(**json.loads((cell.folder / OUTCOME).read_text(encoding="utf-8")))
        stored = _stored(cell.folder / CONFIG, (cell.folder / CONFIG).stat().st_mtime_ns)
    except (OSError, ValueError, TypeError, yaml.YAMLError):  # pydantic's ValidationError is a ValueError
        return None
    whole = outcome.status == "failed" or (cell.folder / SCORES).is_file()
    return outcome if whole and stored == experiment_identity(cell.experiment) else None


@functools.lru_cache(maxsize=4096)
def _stored(config: Path, _written_ns: int) -> dict[str, Any]:
    """What decides the scores of a stored cell; read once for as long as its file stays as it is."""
    return stored_identity(config)


def forget_outcome(cell: Cell) -> None:
    """Lets a cell be worked on again."""
    (cell.folder / OUTCOME).unlink(missing_ok=True)


def scores_of(cell: Cell) -> Scores:
    """A finished cell's scores."""
    return read_scores(cell.folder / SCORES)


def picture_of(cell: Cell, key: str) -> Path:
    """The file of a restored picture that the cell kept."""
    return cell.folder / PICTURES / f"{quote(key, safe='')}.png"
