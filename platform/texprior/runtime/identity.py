"""What makes two pieces of work the same: hashes of settings, pictures and programs."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
from pathlib import Path
from typing import Any

import yaml

from texprior.config.schema import Data, Experiment
from texprior.errors import ImageError
from texprior.registry import Entry
from texprior.runtime.run_record import component_tag
from texprior.runtime.session import Session


def data_digest(data: Data, keys: list[str]) -> str:
    """What identifies training data in a content hash: the data set, its keys, and how often a visit cuts patches."""
    per_visit = data.patches_per_photograph
    text = json.dumps([data.train.model_dump(mode="json"), keys, *([per_visit] if per_visit > 1 else [])])
    return hashlib.sha256(text.encode()).hexdigest()[:10]


_LOOKED_AT = 16
"""Training pictures whose content tells apart two data sets with the same names."""


def pictures_digest(session: Session) -> str:
    """A hash of the content of some training pictures, evenly spread: names alone do not say what they show."""
    dataset, keys = session.pictures("train")
    known = ("pictures", data_digest(session.experiment.data, keys))
    if known not in session.memory:
        digest = hashlib.sha256()
        for key in keys[:: max(1, -(-len(keys) // _LOOKED_AT))]:
            with contextlib.suppress(ImageError):  # it is named where it is trained on
                sample = dataset.load(key)
                for image in (sample.clean, sample.degraded):
                    digest.update(b"" if image is None else image.numpy().tobytes())
        session.memory[known] = digest.hexdigest()[:16]
    return str(session.memory[known])


OWN = "texprior"
"""The distribution whose version is in no hash: its changelog says what changes results."""


def experiment_identity(experiment: Experiment) -> dict[str, Any]:
    """All of an experiment that can change its scores."""
    free = {"name", "device", "threads", "requires_plugins", "events", "sweep", "ablation"}
    data: dict[str, Any] = experiment.model_dump(mode="json", exclude=free)
    del data["data"]["cache_mb"], data["data"]["disk_cache_mb"]
    del data["evaluation"]["pictures"], data["sampling"]["features_mb"]
    for training in data["training"].values():
        del training["checkpoint_every_s"], training["log_every_images"]
    return data


def stored_identity(config: Path) -> dict[str, Any]:
    """Reads an experiment from a file and returns its ``experiment_identity``.

    Raises OSError, YAMLError or ValueError if the file cannot be read or is no experiment.
    """
    return experiment_identity(Experiment.model_validate(yaml.safe_load(config.read_text(encoding="utf-8"))))


def foreign_components(session: Session, parts: tuple[str, ...] | None = None) -> list[str]:
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
            found.append(f"{tag} {program_digest(entry)}" if entry.plugin.installed else tag)
    return sorted(found)


def program_digest(entry: Entry) -> str:
    """A hash of the files that a component's implementation lies among: who edits a filter gets new structures."""
    if not entry.plugin.installed:  # a single file, whose content is its version
        return entry.plugin.version
    try:
        module = importlib.util.find_spec(entry.component.impl.partition(":")[0])
    except (ImportError, ValueError):  # it is told where the component is built
        return ""
    if module is None or module.origin is None:
        return ""
    files = sorted(Path(module.origin).parent.glob("*.py"))
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()
