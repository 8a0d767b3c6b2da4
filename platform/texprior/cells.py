"""The cells of an ablation: an arm trained under one seed, a whole pipeline from the prior to its scores.

A cell's folder is named by all that decides its scores, so that a cell is found again by whatever ablation holds it.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import math
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import quote

import torch
import yaml
from torch import Tensor

from texprior import models
from texprior.arms import Arm
from texprior.cards import count
from texprior.errors import ImageError, Interrupted, TexpriorError
from texprior.evaluate import evaluate, write
from texprior.flow.decompose import Layers, decompose
from texprior.flow.image import load_image, save_image
from texprior.folders import files_in_use
from texprior.models import Prior, load_model
from texprior.results import restored
from texprior.schema import Ablation, Experiment, Sweep
from texprior.scores import Scores, read
from texprior.session import Session, component_tags, data_digest
from texprior.store import about_tensors, write_atomically
from texprior.textures import Guess
from texprior.track import Run, RunInfo
from texprior.trainings import predictor_folder, prior_folder, train_adapter, train_predictor, train_prior

CONFIG, SCORES, OUTCOME, PICTURES = "config.yaml", "scores.csv", "cell.json", "restored"
_PHOTOGRAPHS = 12
"""Training photographs on which it is measured how much of the texture the structure foretells."""


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

    @property
    def name(self) -> str:
        return f"{self.arm}, seed {self.seed}"

    @property
    def claim(self) -> Path:
        """The file whose lock says that somebody is at this cell."""
        return self.folder.parent.parent / ".locks" / f"{self.experiment.name}-{self.folder.name}.lock"

    def unfinished(self) -> set[Path]:
        """The trainings before the adapter's that are still to be done."""
        weights = {self.prior: models.PRIOR, self.predictor: models.PREDICTOR}
        return {folder for folder, name in weights.items() if not (folder / name).is_file()}


@dataclass(frozen=True)
class Outcome:
    """How a cell ended, and what a report says of it besides its scores."""

    status: Literal["finished", "failed"]
    reason: str = ""
    arm: str = ""
    seed: int = 0
    model: str = ""
    """The model's folder, beside the cell's."""
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
    choice = arm.experiment.evaluation
    ablation = session.experiment.ablation
    judged = choice.model_copy(
        update={"split": ablation.split, "steps": [], "texture_strengths": [], "controls": False, "choose_by": None}
    )
    update = {"seed": seed, "evaluation": judged, "sweep": Sweep(), "ablation": Ablation()}
    inner = session.with_(experiment=arm.experiment.model_copy(update=update))
    seen = [inner.pictures(split)[1] for split in ("train", ablation.split)]
    content = [_identity(inner.experiment), data_digest(inner.experiment.data, seen[0]), seen[1], files_in_use(inner)]
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:10]
    folders = (prior_folder(inner), predictor_folder(inner))
    return Cell(arm.name, seed, inner.experiment, session.folder / f"cell-{digest}", *folders, ablation.pictures)


def outcome_of(cell: Cell) -> Outcome | None:
    """How a cell ended; None where it did not, or where what lies in its folder belongs to another experiment."""
    try:
        outcome = Outcome(**json.loads((cell.folder / OUTCOME).read_text(encoding="utf-8")))
        stored = _stored(cell.folder / CONFIG, (cell.folder / CONFIG).stat().st_mtime_ns)
    except (OSError, ValueError, TypeError, yaml.YAMLError):  # pydantic's ValidationError is a ValueError
        return None
    whole = outcome.status == "failed" or (cell.folder / SCORES).is_file()
    return outcome if whole and stored == _identity(cell.experiment) else None


@functools.lru_cache(maxsize=4096)
def _stored(config: Path, _written_ns: int) -> dict[str, Any]:
    """What decides the scores of a stored cell; read once for as long as its file stays as it is."""
    return _identity(Experiment.model_validate(yaml.safe_load(config.read_text(encoding="utf-8"))))


def forget(cell: Cell) -> None:
    """Lets a cell be worked on again."""
    (cell.folder / OUTCOME).unlink(missing_ok=True)


def scores_of(cell: Cell) -> Scores:
    """A finished cell's scores."""
    return read(cell.folder / SCORES)


def picture_of(cell: Cell, key: str) -> Path:
    """The file of a restored picture that the cell kept."""
    return cell.folder / PICTURES / f"{quote(key, safe='')}.png"


def run_cell(session: Session, cell: Cell, parent: RunInfo, tags: Mapping[str, str]) -> Outcome:
    """Trains, restores and scores a cell, under a run of its own, and writes down how it ended.

    Whatever goes wrong is an outcome with its reason; only an interruption is raised again, after saving.
    """
    inner = session.with_(experiment=cell.experiment, parent_run=parent.id)
    info = inner.run_info(cell.folder.name, cell.name, "cell", True, **tags)
    forget(cell)  # an outcome that is there is another experiment's
    write_atomically(cell.folder / CONFIG, cell.experiment.to_yaml().encode())
    started = time.monotonic()
    try:
        with inner.tracker.run(info) as run:
            outcome = _work(inner.with_(parent_run=info.id), cell, run, started)
    except Interrupted:
        raise
    except Exception as error:  # out of memory, a diverged training, a plugin's mistake: the other cells go on
        session.memory.clear()
        reason = f"{type(error).__name__}: {error}"
        outcome = Outcome("failed", reason, cell.arm, cell.seed, seconds=time.monotonic() - started)
    write_atomically(cell.folder / OUTCOME, json.dumps(asdict(outcome), indent=2).encode())
    return outcome


def _work(session: Session, cell: Cell, run: Run, started: float) -> Outcome:
    prior = train_prior(session)
    predictor = train_predictor(session)
    trained = train_adapter(session, prior.folder, predictor.folder)
    model = load_model(trained.folder, session.registry, prior.folder, session)

    def keep(number: int, key: str, versions: Mapping[str, Tensor]) -> None:
        if number < cell.pictures:
            save_image(versions["restored"], picture_of(cell, key))

    evaluated = evaluate(session, model, keep)
    if not evaluated.scores.scores:
        raise TexpriorError(f"none of the pictures to judge by could be read: {'; '.join(evaluated.broken.values())}")
    write(evaluated, cell.folder)
    run.summary |= {name: mean.mean for name, mean in evaluated.scores.summary()[restored(evaluated.scores)].items()}
    run.artifact(cell.folder)
    if evaluated.sheet:
        run.image("sheet", load_image(cell.folder / "sheet.png"))
    about = about_tensors(trained.folder / models.ADAPTER)
    weights = {
        "prior": prior.folder / models.PRIOR,
        "predictor": predictor.folder / models.PREDICTOR,
        "adapter": trained.folder / models.ADAPTER,
    }
    return Outcome(
        "finished",
        arm=cell.arm,
        seed=cell.seed,
        model=trained.folder.name,
        images={name: int(about_tensors(path)["images_seen"]) for name, path in weights.items()},
        texture_std=model.prior.scale,
        texture_r2=_foretold(session, model.prior),
        decomposition=model.prior.experiment.decomposition.model_dump(mode="json"),
        residual_std=float(about["residual_std"]),
        trainable_parameters=count(model.adapter),
        seconds=time.monotonic() - started,
        broken={**prior.broken, **predictor.broken, **trained.broken, **evaluated.broken},
        versions={
            **{name: str(about[name]) for name in ("texprior", "torch")},
            **component_tags(session.experiment, session.registry),
        },
    )


@torch.no_grad()
def _foretold(session: Session, prior: Prior) -> float | None:
    """R² of the texture on every other of the first training photographs, guessed on the rest; None without two."""
    dataset, keys = session.pictures("train")
    pictures = []
    for key in keys[:_PHOTOGRAPHS]:
        with contextlib.suppress(ImageError):  # it is named where it is trained on
            pictures.append(dataset.load(key).clean[None].to(session.device))
    if len(pictures) < 2:
        return None
    guess = Guess()
    for take, some in ((guess.fit, pictures[::2]), (guess.judge, pictures[1::2])):
        for picture in some:
            take(Layers(*(layer.cpu() for layer in decompose(picture, prior.decomposition))))
    found = guess.r2()
    return found if math.isfinite(found) else None


def _identity(experiment: Experiment) -> dict[str, Any]:
    """All of a cell's experiment that can change its scores."""
    free = {"name", "device", "threads", "requires_plugins", "events", "sweep", "ablation"}
    data: dict[str, Any] = experiment.model_dump(mode="json", exclude=free)
    del data["data"]["cache_mb"], data["data"]["disk_cache_mb"]
    del data["evaluation"]["pictures"], data["sampling"]["features_mb"]
    for training in data["training"].values():
        del training["checkpoint_every_s"], training["log_every_images"]
    return data
