"""Folders of trainings, named by what decides their content: equal work is found again, larger budgets go on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from texprior.cache import program_of
from texprior.claims import claim, turn
from texprior.schema import Training
from texprior.session import Session, component_tag
from texprior.store import about_tensors

CHECKPOINT = "checkpoint.safetensors"
OWN = "texprior"
"""The distribution whose version is in no hash: its changelog says what changes results."""
PRIOR_PARTS = ("seed", "decomposition", "encoder", "denoiser", "diffusion")
PREDICTOR_PARTS = ("seed", "degradation", "predictor", "data.variants")
TILING = ("sampling.tile", "sampling.halo")
ADAPTER_PARTS = ("seed", "degradation", "adapter", "process", "diffusion", "data.variants", *TILING)


def trajectory_of(session: Session, parts: tuple[str, ...], settings: Training, *parents: str) -> str:
    """What decides every step of a training; with a constant learning rate the budget only says where it ends."""
    irrelevant = {"checkpoint_every_s", "log_every_images"} | ({"budget"} if settings.decay == "constant" else set())
    text = json.dumps([session.experiment.hash(*parts), settings.model_dump(mode="json", exclude=irrelevant), parents])
    others = others_in_use(session, parts)
    text += json.dumps(others) if others else ""
    return hashlib.sha256(text.encode()).hexdigest()[:10]


def folder_of(session: Session, what: str, trajectory: str, settings: Training) -> Path:
    """``NAME/what-TRAJECTORY-IMAGES`` below the runs."""
    return session.folder / f"{what}-{trajectory}-{settings.budget.images}"


def is_done(session: Session, weights: Path, settings: Training) -> bool:
    """Whether a training of this budget is there; one that a time limit stopped counts for such a limit only."""
    if session.fresh or not weights.is_file():
        return False
    about, limit = about_tensors(weights), settings.budget.seconds
    if int(about["images_seen"]) >= settings.budget.images or about.get("nothing_to_train"):
        return True
    return limit is not None and float(about.get("stopped_after_s", 0)) >= limit


@contextmanager
def claimed(session: Session, folder: Path) -> Iterator[None]:
    """Holds a training's folder, so that two workers with one configuration do not train into it at once.

    The second one waits; the operating system frees the claim of a process that dies.
    """
    if not session.team.leads:
        yield
        return
    lock = session.root / ".locks" / f"{session.experiment.name}-{folder.name}.lock"
    with ExitStack() as held:
        if not held.enter_context(claim(lock)):
            session.say(f"{folder.name} is being trained by another process; waiting for it")
            held.enter_context(turn(lock))
        yield


def furthest(folder: Path, trajectory: str, settings: Training) -> Path | None:
    """The checkpoint of this training, or of one that differs only in its budget, with the most images.

    It may be another experiment's below the same runs.
    """
    best: tuple[int, Path] | None = None
    for path in [folder / CHECKPOINT, *sorted(folder.parent.parent.glob(f"*/*-{trajectory}-*/{CHECKPOINT}"))]:
        if path.is_file():
            seen = int(about_tensors(path)["images_seen"])
            if seen < settings.budget.images + settings.batch and (best is None or seen > best[0]):
                best = (seen, path)
    return best[1] if best else None


def others_in_use(session: Session, parts: tuple[str, ...] | None = None) -> list[str]:
    """The components, of a training's parts or of all that matter to scores, that are not texprior's own.

    Each with its version and a hash of its program: an edit or an upgrade is another training, but of nothing that does
    not use it.
    """
    registry, found = session.registry, []
    for path, kind, ref in registry.components_of(session.experiment):
        of_parts = parts is None or any(f"{path}.".startswith(f"{p}.") for p in (*parts, "data.train", "attention"))
        entry = registry.find(kind, ref.name)
        if of_parts and kind != "events" and entry.plugin.distribution != OWN:
            (tag,) = component_tag(registry, path, kind, ref).values()
            found.append(f"{tag} {program_of(entry)}" if entry.plugin.installed else tag)
    return sorted(found)
