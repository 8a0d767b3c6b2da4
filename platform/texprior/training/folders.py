"""Folders of trainings, named by what decides their content: equal work is found again, larger budgets go on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

from texprior.config.schema import Training
from texprior.errors import ConfigError
from texprior.locks import hold_lock, try_lock
from texprior.runtime.identity import foreign_components
from texprior.runtime.session import Session
from texprior.store import about_tensors

CHECKPOINT = "checkpoint.safetensors"
PRIOR_PARTS = ("seed", "decomposition", "encoder", "denoiser", "diffusion")
PREDICTOR_PARTS = ("seed", "degradation", "predictor", "data.variants")
TILING = ("sampling.tile", "sampling.halo")
ADAPTER_PARTS = ("seed", "degradation", "adapter", "process", "diffusion", "data.variants", *TILING)


def trajectory_of(session: Session, parts: tuple[str, ...], settings: Training, *parents: str) -> str:
    """What decides every step of a training; with a constant learning rate the budget only says where it ends."""
    irrelevant = {"checkpoint_every_s", "log_every_images"} | ({"budget"} if settings.decay == "constant" else set())
    text = json.dumps([session.experiment.hash(*parts), settings.model_dump(mode="json", exclude=irrelevant), parents])
    others = foreign_components(session, parts)
    text += json.dumps(others) if others else ""
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def folder_of(session: Session, what: str, trajectory: str, settings: Training) -> Path:
    """``NAME/what-TRAJECTORY-IMAGES`` below the runs, with the limit in seconds where there is one."""
    limit = settings.budget.seconds
    return session.folder / f"{what}-{trajectory}-{settings.budget.images}{'' if limit is None else f'-{limit:g}s'}"


def is_trained(session: Session, weights: Path, settings: Training) -> bool:
    """Whether a training of this budget is there; one that a time limit stopped counts for such a limit only."""
    if session.fresh or not weights.is_file():
        return False
    about, limit = about_tensors(weights), settings.budget.seconds
    if int(about["images_seen"]) >= settings.budget.images or about.get("nothing_to_train"):
        return True
    return limit is not None and float(about.get("stopped_after_s", 0)) >= limit


@contextmanager
def hold_folder(session: Session, folder: Path) -> Iterator[None]:
    """Holds a training's folder, so that two workers with one configuration do not train into it at once.

    The second one waits; the operating system frees the claim of a process that dies.
    """
    if not session.team.leads:
        yield
        return
    lock = session.root / ".locks" / f"{folder.name}.lock"  # also of another experiment, which trains the same
    with ExitStack() as held:
        if not held.enter_context(try_lock(lock)):
            session.say(f"{folder.name} is being trained by another process; waiting for it")
            held.enter_context(hold_lock(lock))
        yield


def find_checkpoints(folder: Path, trajectory: str, settings: Training, pictures: str, alone: bool) -> list[Path]:
    """The checkpoints that a training can go on from, the best first.

    Its own, if there is one; else those of trainings that differ only in their budget, the furthest first. Those of
    other experiments below the same runs count where they saw the same ``pictures``, and for a process that is
    ``alone``: the processes of a team could see different ones.
    """
    own = folder / CHECKPOINT
    if own.is_file():
        return [own]
    found = []
    root, pattern = folder.parent, f"*-{trajectory}-*/{CHECKPOINT}"
    for path in sorted(root.parent.glob(f"*/{pattern}") if alone else root.glob(pattern)):
        with suppress(ConfigError):  # another training's file that is broken is not needed
            about = about_tensors(path)
            if fits_budget(about, settings) and (path.parent.parent == root or about.get("pictures") == pictures):
                found.append((-int(about["images_seen"]), path))
    return [path for _, path in sorted(found)]


def fits_budget(about: Mapping[str, Any], settings: Training) -> bool:
    """Whether what a checkpoint says of itself is within a budget."""
    limit = settings.budget.seconds
    in_time = limit is None or float(about["elapsed_s"]) <= limit
    return in_time and int(about["images_seen"]) < settings.budget.images + settings.batch
