"""Decides which work is the same work.

Every name of a run folder, a cell or a study comes from here. Two pieces of work are the same if all that decides their
result is the same: the settings, the pictures, the program of every component that is not texprior's own, and the
weights that they start from. What only watches the work (names, devices, caches, logging) is left out. A change of what
goes into a digest orphans stored work (ADR 4).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from texprior.config import resolve
from texprior.config.combinations import STAGES, is_open_ended
from texprior.config.schema import Data, Experiment, Training, Trainings
from texprior.digests import digest
from texprior.errors import ConfigError, ImageError
from texprior.plugin.added import DIGEST
from texprior.registry import Entry, Registry
from texprior.runtime.program import program_digest
from texprior.runtime.session import Session
from texprior.store import named_folder, sha256

OWN = "texprior"
"""The distribution whose version is in no digest: its changelog says what changes results."""

_EVERYWHERE = ("data.train", "data.augmentations", "attention")
"""The components that every training uses."""

_SAMPLED_PICTURES = 16
"""Training pictures whose content tells apart two data sets with the same names. Few, as each one is decoded."""


def training_digest(session: Session, stage: str, parts: tuple[str, ...], settings: Training, *parents: str) -> str:
    """Returns the digest of a training: of what decides every one of its steps.

    ``parts`` are the paths of the experiment that matter to it, ``parents`` the digests of what it starts from. With a
    constant learning rate the budget only says where the training ends, so a larger budget continues the same training.
    """
    relevant = settings.model_dump(
        mode="json",
        exclude=irrelevant_settings(settings, is_open_ended(settings, session.registry)),
        context=dict(DIGEST),
    )
    if settings.start_from is not None:
        relevant["start_from"] = start_digest(settings.start_from)
    text = json.dumps([session.experiment.hash(*parts), relevant, parents])
    foreign = foreign_components(session, (*parts, f"training.{stage}"))
    # appended only if there are any: digests of experiments with texprior's own components stay what they were
    text += json.dumps(foreign) if foreign else ""
    return digest(text.encode())


def irrelevant_settings(settings: Training, open_ended: bool) -> set[str]:
    """Returns the settings of a training that do not decide its steps.

    ``open_ended`` is whether its learning rate does not depend on the length of the budget.
    """
    never = {"checkpoint_every_s", "log_every_images"}
    budget = {"budget"} if open_ended else set()
    return never | budget | (set() if settings.weight_decay else {"decay_norms"})


def cell_digest(session: Session, judged_on: Sequence[str], trained_on: object) -> str:
    """Returns the digest of an ablation's cell: of all that decides its scores.

    ``judged_on`` are the keys of the pictures that are scored. ``trained_on`` is the digest of the training data, or
    the hashes of a given model's weights.
    """
    content = [experiment_identity(session.experiment), trained_on, judged_on, foreign_components(session)]
    trainings: Trainings = session.experiment.training
    folders = [t.start_from for t in (trainings.prior, trainings.predictor, trainings.adapter)]
    content += [start_digest(folder) for folder in folders if folder is not None]
    return digest(content, sort_keys=True)


def start_digest(folder: str) -> str:
    """Returns the digest of the weights in a folder that a training starts from.

    The name of the folder does not matter. Raises ConfigError if it holds none.
    """
    files = sorted(named_folder(folder).glob("*.safetensors"))
    if not files:
        raise ConfigError(f"start_from: {folder} holds no weights and no checkpoint of a training")
    return digest([sha256(file) for file in files])


def data_digest(data: Data, keys: Sequence[str]) -> str:
    """Returns the digest of training data.

    The digest covers the data set, its keys, how many patches a visit cuts, and their augmentations.
    """
    settings, per_visit = data.model_dump(mode="json", context=dict(DIGEST)), data.patches_per_photograph
    content = [settings["train"], list(keys), *([per_visit] if per_visit > 1 else [])]
    # a mapping, which no other entry is; it is left out at the augmentations that there were before there was a choice
    content += [{"augmentations": settings["augmentations"]}] if "augmentations" in settings else []
    return digest(content)


def pictures_digest(session: Session) -> str:
    """Returns a digest of the content of some training pictures.

    The pictures are evenly spread over the data set. Names alone do not say what the pictures show. Pictures that
    cannot be read are left out.
    """
    dataset, keys = session.pictures("train")
    known, names = session.caches.picture_digests, data_digest(session.experiment.data, keys)
    if names not in known:
        content = hashlib.sha256()
        for key in keys[:: max(1, -(-len(keys) // _SAMPLED_PICTURES))]:
            with contextlib.suppress(ImageError):  # the training names it
                sample = dataset.load(key)
                for image in (sample.clean, sample.degraded):
                    content.update(b"" if image is None else image.numpy().tobytes())
        known[names] = content.hexdigest()[:16]
    return known[names]


def experiment_identity(experiment: Experiment) -> dict[str, Any]:
    """Returns all of an experiment that can change its scores, in JSON's types."""
    # a given prior is in digests by its content, wherever it lies
    free = {"name", "device", "threads", "requires_plugins", "events", "sweep", "ablation", "prior"}
    data = experiment.decisive_settings(exclude=free)
    del data["data"]["cache_mb"], data["data"]["disk_cache_mb"], data["data"]["workers"]
    del data["evaluation"]["pictures"], data["sampling"]["features_mb"]
    for training in (data["training"][stage] for stage in STAGES):
        del training["checkpoint_every_s"], training["log_every_images"]
        if not training["weight_decay"]:
            training.pop("decay_norms", None)
    return data


def stored_identity(config: Path, registry: Registry) -> Mapping[str, Any]:
    """Reads a resolved experiment from a file and returns its ``experiment_identity``.

    Raises OSError, YAMLError, ValueError or ConfigError if the file cannot be read, or is no experiment, or names a
    component that is not there.
    """
    stored = yaml.safe_load(config.read_text(encoding="utf-8"))
    if not isinstance(stored, dict):
        raise ConfigError(f"{config}: it holds no experiment")
    # Resolved, because only a component's own record says which of its options an identity leaves out.
    return experiment_identity(resolve(stored, registry, source=str(config), stored=True))


def foreign_components(session: Session, parts: tuple[str, ...] | None = None) -> list[str]:
    """Lists the components that are not texprior's own.

    Each is listed with its kind, its qualified name, and the digest of its program. With ``parts``, lists only those
    that a training of these parts uses, else all that matter to scores. An edit or an upgrade of a plugin therefore
    makes another training of what uses the changed program, and of nothing else.
    """
    return sorted({f"{e.component.kind} {e.qualified} {program_digest(e)}" for e in foreign_entries(session, parts)})


def foreign_entries(session: Session, parts: tuple[str, ...] | None = None) -> list[Entry]:
    """Returns the components that ``foreign_components`` lists."""
    registry, found = session.registry, []
    for path, kind, ref in registry.components_of(session.experiment):
        of_parts = parts is None or any(f"{path}.".startswith(f"{p}.") for p in (*parts, *_EVERYWHERE))
        entry = registry.find(kind, ref.name)
        if of_parts and kind != "events" and entry.plugin.distribution != OWN:
            found.append(entry)
    return found
