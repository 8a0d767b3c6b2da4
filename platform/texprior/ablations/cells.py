"""Defines the cells of an ablation.

A cell is an arm under one seed, a whole pipeline from the prior to its scores. The name of a cell's folder is a hash of
everything that decides its scores, so every ablation with this cell finds it.
"""

from __future__ import annotations

import functools
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
from texprior.errors import ConfigError
from texprior.evaluation.evaluate import judged_plainly
from texprior.evaluation.run import judged_experiment
from texprior.evaluation.scores import Scores, read_scores
from texprior.models.folders import PREDICTOR, PRIOR, identify_model
from texprior.registry import Registry
from texprior.runtime.identity import cell_digest, data_digest, experiment_identity, stored_identity
from texprior.runtime.session import Session
from texprior.store import named_folder
from texprior.training.folders import Place
from texprior.training.given_prior import given_place
from texprior.training.predictor import predictor_place
from texprior.training.prior import prior_place

CONFIG, SCORES, OUTCOME, PICTURES = "config.yaml", "scores.csv", "cell.json", "restored"


@dataclass(frozen=True, kw_only=True)
class Cell:
    """An arm under one seed.

    It has its resolved experiment, its folder, and the places of the trainings that it needs.
    """

    arm: str
    seed: int
    experiment: Experiment
    folder: Path
    prior: Place | None
    """None for the predictor alone."""
    predictor: Place
    pictures: int
    """Number of restored pictures that the cell keeps."""
    registry: Registry = field(compare=False, repr=False)
    model: Path | None = None
    """A trained model that is sampled; None if the cell trains its own."""

    @property
    def name(self) -> str:
        """The cell's name in messages and reports."""
        return f"{self.arm}, seed {self.seed}"

    @property
    def lock(self) -> Path:
        """The file whose lock a process holds while it runs this cell."""
        return self.folder.parent.parent / ".locks" / f"{self.experiment.name}-{self.folder.name}.lock"

    @property
    def trains_adapter(self) -> bool:
        """Whether the cell trains a whole model: not if it samples one, nor for the predictor alone."""
        return self.model is None and self.prior is not None

    def unfinished(self) -> set[Place]:
        """Returns the trainings before the adapter's that are still to be done."""
        if self.model is not None:
            return set()
        weights = {self.predictor: PREDICTOR, **({self.prior: PRIOR} if self.prior else {})}
        return {place for place, name in weights.items() if not (place.folder / name).is_file()}


@dataclass(frozen=True)
class Outcome:
    """How a cell ended, and facts about it.

    A report shows these facts next to the cell's scores.
    """

    status: Literal["finished", "failed"]
    reason: str = ""
    arm: str = ""
    seed: int = 0
    model: str = ""
    """Name of the folder of the model, or of the predictor alone, next to the cell's; for a sampled model,
    its whole path."""
    images: Mapping[str, int] = field(default_factory=dict)
    """Training -> number of images that it saw."""
    flops: Mapping[str, int] = field(default_factory=dict)
    """Training -> FLOPs of one image in its step; empty for a sampled model, and in cells of earlier versions."""
    texture_std: float | None = None
    """Standard deviation of the texture layer that the prior learned, on the training photographs."""
    texture_r2: float | None = None
    """R² of that layer, predicted from the structure by a linear filter; see ``decompositions.comparison``."""
    explained: float | None = None
    """Share of the layer's variance that the prior reads from the condition alone; see ``training.held_out``."""
    decomposition: Mapping[str, Any] = field(default_factory=dict)
    """The prior's decomposition, at the strength that was found if the strength was matched."""
    residual_std: float | None = None
    trainable_parameters: int = 0
    seconds: float = 0.0
    """Seconds that this cell took, without what an earlier cell, or this one before an interruption, had done."""
    broken: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)


def cell_of(session: Session, arm: Arm, seed: int) -> Cell:
    """Returns a cell of the session's ablation. Raises ConfigError if its pictures are missing."""
    ablation = session.experiment.ablation
    if ablation.model is not None:
        return _sampled_cell(session, arm, seed, named_folder(ablation.model))
    own = _own_experiment(session, arm, seed=seed)
    # photographs of Stage I are those of Stage II if none are named, and the predictor alone has no Stage I
    if arm.alone or own.data.prior == own.data.train:
        own = own.model_copy(update={"data": own.data.model_copy(update={"prior": None})})
    inner = session.with_(experiment=own)
    experiment = inner.experiment
    trained_on: object = data_digest(experiment.data, inner.pictures("train").keys)
    if experiment.data.prior is not None:
        first = inner.of_stage_one()
        trained_on = [trained_on, data_digest(first.experiment.data, first.pictures("train").keys)]
    judged_on = inner.pictures(experiment.evaluation.split).keys
    what, given = "alone" if arm.alone else "cell", given_place(experiment)
    # a given prior counts by its content, and the predictor alone has none
    content = [trained_on, given.digest] if given and not arm.alone else trained_on
    return Cell(
        arm=arm.name,
        seed=seed,
        experiment=experiment,
        folder=session.folder / f"{what}-{cell_digest(inner, judged_on, content)}",
        prior=None if arm.alone else given or prior_place(inner),
        predictor=predictor_place(inner),
        pictures=ablation.pictures,
        registry=session.registry,
    )


def _sampled_cell(session: Session, arm: Arm, seed: int, model: Path) -> Cell:
    """Returns a cell that samples the ablation's model; its seed is that of the degradation and of the noise."""
    ablation = session.experiment.ablation
    trained, prior, weights = identify_model(model, session.builder)
    given = given_place(session.experiment)
    if given is not None and given.digest != weights[-1]:
        raise ConfigError(f"prior: ablation.model {model} was trained on another prior than {given.folder}")
    # its weights say what it is, wherever the trainings started from
    trained = trained.model_copy(update={"training": trained.training.without_starts()})
    own = judged_experiment(_own_experiment(session, arm), trained)
    judged = own.evaluation.model_copy(update={"seed": seed})
    inner = session.with_(experiment=own.model_copy(update={"evaluation": judged}))
    judged_on = inner.pictures(ablation.split).keys
    return Cell(
        arm=arm.name,
        seed=seed,
        experiment=inner.experiment,
        folder=session.folder / f"cell-{cell_digest(inner, judged_on, trained_on=weights)}",
        prior=Place("", prior),
        predictor=Place("", model),
        pictures=ablation.pictures,
        registry=session.registry,
        model=model,
    )


def _own_experiment(session: Session, arm: Arm, **update: object) -> Experiment:
    """Returns an arm's experiment as that of a cell: judged in one way, without the sweep and the other arms."""
    # without these two the cell's config.yaml is the same in every ablation that has this cell
    ablation = session.experiment.ablation
    alone = {"sweep": Sweep(), "ablation": Ablation(model=ablation.model)}
    return judged_plainly(arm.experiment, ablation.split).model_copy(update={**update, **alone})


def outcome_of(cell: Cell) -> Outcome | None:
    """Returns how a cell ended.

    None if it did not end, or if its folder belongs to another experiment.
    """
    try:
        outcome = Outcome(**json.loads((cell.folder / OUTCOME).read_text(encoding="utf-8")))
        stored = _stored(cell.folder / CONFIG, (cell.folder / CONFIG).stat().st_mtime_ns, cell.registry)
    except (OSError, ValueError, TypeError, yaml.YAMLError, ConfigError):  # pydantic's ValidationError is a ValueError
        return None
    # a failed cell has no scores; a finished one without its file was cut off or cleared, and is run again
    whole = outcome.status == "failed" or (cell.folder / SCORES).is_file()
    return outcome if whole and stored == experiment_identity(cell.experiment) else None


# waiting processes look at all cells every second; 4096 is more cells than an ablation has
@functools.lru_cache(maxsize=4096)
def _stored(config: Path, _written_ns: int, registry: Registry) -> Mapping[str, Any]:
    """Reads what decides the scores of a stored cell; reads again only if the file has changed."""
    return stored_identity(config, registry)


def forget_outcome(cell: Cell) -> None:
    """Removes a cell's outcome, so that it is run again."""
    (cell.folder / OUTCOME).unlink(missing_ok=True)


def scores_of(cell: Cell) -> Scores:
    """Reads a finished cell's scores."""
    return read_scores(cell.folder / SCORES)


def picture_of(cell: Cell, key: str) -> Path:
    """Returns the file of a restored picture that the cell kept."""
    return cell.folder / PICTURES / f"{quote(key, safe='')}.png"
