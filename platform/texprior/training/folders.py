"""Names the folders of trainings by what decides their content.

So the same work is found again, and a larger budget continues it. The digest in a folder's name says which training it
is (see ``runtime.identity``), the number how many images it saw.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from texprior.config.schema import Training
from texprior.errors import ConfigError
from texprior.locks import try_lock
from texprior.models.folders import ADAPTER, PREDICTOR, PRIOR
from texprior.models.prior_search import find_prior
from texprior.runtime.identity import training_digest
from texprior.runtime.session import Session
from texprior.store import about_tensors

CHECKPOINT = "checkpoint.safetensors"
PRIOR_PARTS = ("seed", "decomposition", "encoder", "denoiser", "diffusion")
PAIRS = ("degradation", "data.variants", "data.degraded_bits")
PREDICTOR_PARTS = ("seed", "predictor", *PAIRS)
TILING = ("sampling.tile", "sampling.halo")
ADAPTER_PARTS = ("seed", "adapter", "process", "diffusion", *PAIRS, *TILING)
STAGE_OF = {"prior": "prior", "predictor": "predictor", "model": "adapter"}
"""First part of a training's folder's name -> its section of ``training``."""
_WEIGHTS = {"prior": PRIOR, "predictor": PREDICTOR, "adapter": ADAPTER}
"""Stage -> the file of its finished weights."""
_TRY_EVERY_S = 1.0
"""Time between two looks at a folder that another process holds: little against a training."""


class Place(NamedTuple):
    """Which training it is, and the folder that it writes to."""

    digest: str
    folder: Path
    parents: tuple[str, ...] = ()
    """The digests of what it starts from."""


def images_behind(about: Mapping[str, Any]) -> int:
    """Returns the images that stored weights saw, with those of the weights that their training started from."""
    return int(about["images_seen"]) + int(about.get("images_before", 0))


def training_place(
    session: Session, what: str, parts: tuple[str, ...], settings: Training, parents: Sequence[str]
) -> Place:
    """Returns the place of a training: ``NAME/what-DIGEST-IMAGES`` below the runs.

    The name ends with a limit in seconds if there is one. ``parts`` are the paths of the experiment that matter to it,
    ``parents`` the digests of what it starts from.
    """
    digest, budget = training_digest(session, STAGE_OF[what], parts, settings, *parents), settings.budget
    limit = "" if budget.seconds is None else f"-{budget.seconds:g}s"
    return Place(digest, session.folder / f"{what}-{digest}-{budget.images}{limit}", tuple(parents))


def is_trained(session: Session, weights: Path, settings: Training) -> bool:
    """Returns whether weights of this budget are there.

    Weights that a time limit stopped count only for such a limit. In a team the leader's files count for all.
    """
    # The processes of a team could see different files, and must not take different ways from here.
    return session.team.from_leader(session.team.leads and _is_trained(session, weights, settings))


def _is_trained(session: Session, weights: Path, settings: Training) -> bool:
    if session.fresh or not weights.is_file():
        return False
    about, limit = about_tensors(weights), settings.budget.seconds
    if int(about["images_seen"]) >= settings.budget.images or about.get("nothing_to_train"):
        return True
    return limit is not None and float(about.get("stopped_after_s", 0)) >= limit


def tell_found(session: Session, what: str, folder: Path) -> None:
    """Says that a training is stored already, and that its run gets no tags of this command."""
    asked = [name for name, given in (("tags", session.labels), ("note", session.note)) if given]
    own = f"; its run keeps its {' and '.join(asked)}, see 'texprior runs tag'" if asked else ""
    session.say(f"{what}: {folder} is trained already{own}")


@contextmanager
def hold_folder(session: Session, folder: Path) -> Iterator[None]:
    """Holds a training's folder, so that only one worker trains into it.

    Without this, two workers with one configuration would train into it at once. The second worker waits. The operating
    system frees the lock of a process that dies. In a team the leader holds the folder for all, and all wait with it.
    """
    team = session.team
    # The lock protects the folder's checkpoint and weights. It stands outside of the experiment's own folder, because
    # another experiment with the same training would write the same content.
    lock = session.root / ".locks" / f"{folder.name}.lock"
    with ExitStack() as held:
        waits = False
        # One message to the team at each try: a single wait of hours would end in a time-out of torch.distributed.
        while not team.from_leader(team.leads and held.enter_context(try_lock(lock))):
            held.close()
            if not waits:
                session.say(f"{folder.name} is being trained by another process; waiting for it")
            waits = True
            time.sleep(_TRY_EVERY_S)
        yield


def find_checkpoints(place: Place, settings: Training, pictures: str) -> list[Path]:
    """Lists the checkpoints that a training can continue from, the best first.

    Its own, if there is one; else those of trainings that differ only in their budget, the furthest first. Checkpoints
    of other experiments below the same runs count if they saw the same ``pictures``.
    """
    own = place.folder / CHECKPOINT
    if own.is_file():
        return [own]
    found = []
    root, pattern = place.folder.parent, f"*-{place.digest}-*/{CHECKPOINT}"
    for path in sorted(root.parent.glob(f"*/{pattern}")):
        with suppress(ConfigError):  # a broken file of another training is not needed
            about = about_tensors(path)
            if fits_budget(about, settings) and (path.parent.parent == root or about.get("pictures") == pictures):
                found.append((-int(about["images_seen"]), path))
    return [path for _, path in sorted(found)]


def start_file(folder: Path, stage: str) -> Path:
    """Returns the file in a folder from whose weights another training can start.

    Both are of the same stage; that of a prior may also be a model on it. This is its checkpoint if there
    is one, also if the training gave up, else its finished weights. Raises ConfigError if there is neither.
    """
    if stage == "prior" and (folder / ADAPTER).is_file():
        folder = find_prior(folder, about_tensors(folder / ADAPTER))
    checkpoint, finished = folder / CHECKPOINT, folder / _WEIGHTS[stage]
    # a model's folder has the predictor's weights too, but its checkpoint is the adapter's
    if checkpoint.is_file() and about_tensors(checkpoint).get("stage", stage) == stage:
        return checkpoint
    if finished.is_file():
        return finished
    raise ConfigError(f"training.{stage}.start_from: {folder} holds no checkpoint and no {finished.name} of a {stage}")


def fits_budget(about: Mapping[str, Any], settings: Training) -> bool:
    """Whether the record of a checkpoint (``images_seen``, ``elapsed_s``) is within a budget."""
    limit = settings.budget.seconds
    in_time = limit is None or float(about["elapsed_s"]) <= limit
    return in_time and int(about["images_seen"]) < settings.budget.images + settings.batch
