"""Finds what trainings left behind and nothing stored needs, and removes it.

These are checkpoints of finished trainings, and folders whose run the user deleted. A folder whose run is unknown
stays: another store may have recorded it. All doubts are settled in favour of keeping.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Iterator, Mapping, Set
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from texprior.errors import ConfigError
from texprior.locks import is_locked, try_lock
from texprior.models.folders import ADAPTER, PREDICTOR, PRIOR
from texprior.runtime.identity import start_digest
from texprior.store import about_tensors, sha256
from texprior.training.folders import CHECKPOINT

_FOLDER = re.compile(r"(prior|predictor|model)-[0-9a-f]+-\d+(?:-[\d.e+]+s)?")
_START = re.compile(r"""start_from"?: *["']?([^"'\n,]+)""")
"""The setting in YAML and in JSON."""
_TEXTS = (".yaml", ".json", ".jsonl", ".md")
_WEIGHTS = {"prior": PRIOR, "predictor": PREDICTOR, "model": ADAPTER}
_NO_EXPERIMENTS = ("cache", "artifacts")
"""Folders below the runs that hold what is derived, and the tracker's copies of what is stored."""
_STUDIES = ("sweep-*", "ablation-*", "cell-*", "alone-*")
"""Folders beside the trainings that say that a study refers to them."""


@dataclass(frozen=True)
class Leftover:
    """A checkpoint or a folder, its size, and why it can go, or why it stays."""

    path: Path
    bytes: int
    why: str


@dataclass(frozen=True)
class Leftovers:
    """What can go, and what was looked at and stays."""

    removable: list[Leftover]
    kept: list[Leftover]


@dataclass(frozen=True)
class KnownRuns:
    """What a tracker's store says of trainings."""

    deleted: Set[tuple[str, str]] = frozenset()
    """(experiment, folder's name) of the runs that the user deleted."""
    named: Set[str] = frozenset()
    """The names of folders that the other runs have in their settings and tags."""
    starts: Set[str] = frozenset()
    """The names of folders from which the other runs started (``start_from``)."""


def named_folders(text: str) -> set[str]:
    """Returns the names of folders of trainings that a text has in it."""
    return {match[0] for match in _FOLDER.finditer(text)}


def find_leftovers(root: Path, known: KnownRuns, older_than_s: float) -> Leftovers:
    """Finds what can go below the folder of the runs; ``older_than_s`` is the age of the latest change, in seconds."""
    shelf, found = _Shelf(root, known, time.time() - older_than_s), Leftovers([], [])
    for folder in shelf.trainings:
        offered = (folder.parent.name, folder.name) in known.deleted
        if offered and not (reason := shelf.needs_folder(folder)):
            found.removable.append(_leftover(folder, "its run was deleted, and nothing stored refers to it"))
            continue
        if offered:
            found.kept.append(_leftover(folder, reason))
        if (folder / CHECKPOINT).is_file():
            needed = shelf.needs_checkpoint(folder)
            listed = found.kept if needed else found.removable
            listed.append(_leftover(folder / CHECKPOINT, needed or "the training is finished, its weights are stored"))
    return found


def remove_leftover(root: Path, leftover: Leftover) -> str:
    """Removes a checkpoint or a folder, unless a training holds it; returns why it stays, or nothing."""
    path = leftover.path
    folder = path.parent if path.name == CHECKPOINT else path
    with try_lock(_lock_of(root, folder)) as held:
        if not held:
            return "a training of it runs now"
        try:
            # without its weights a folder counts as untrained, whatever a kill leaves of it
            for file in [path] if path != folder else sorted(folder.glob("*.safetensors")):
                file.unlink(missing_ok=True)
            if path == folder:
                shutil.rmtree(folder)
        except OSError as error:
            return f"it cannot be removed ({error.strerror or error})"
    return ""


@dataclass(frozen=True)
class _Shelf:
    """The trainings below the folder of the runs, with what refers to them."""

    root: Path
    known: KnownRuns
    newest_s: float
    """What changed after this time stays."""

    @cached_property
    def experiments(self) -> list[Path]:
        folders = sorted(self.root.iterdir()) if self.root.is_dir() else []
        own = (f for f in folders if f.name not in _NO_EXPERIMENTS and not f.name.startswith("."))
        return [f for f in own if f.is_dir() and not f.is_symlink()]

    @cached_property
    def trainings(self) -> list[Path]:
        found = [folder for experiment in self.experiments for folder in sorted(experiment.iterdir())]
        return [f for f in found if _FOLDER.fullmatch(f.name) and f.is_dir() and not f.is_symlink()]

    @cached_property
    def held(self) -> set[str]:
        """The names of the locks that a process holds, besides that of the tracker's database."""
        return {f.stem for f in (self.root / ".locks").glob("*.lock") if not f.stem.endswith(".db") and is_locked(f)}

    @cached_property
    def texts(self) -> Mapping[Path, str]:
        """The stored settings, records and cards below the experiments."""
        return {path: text for folder in self.experiments for path, text in _texts(folder)}

    @cached_property
    def starts(self) -> set[str]:
        """What other trainings start from: names of folders, and digests of what is in them."""
        named = {Path(start.strip()).name for text in self.texts.values() for start in _START.findall(text)}
        return (
            named | self.known.starts | {str(about["start_from"]) for about in self._abouts() if "start_from" in about}
        )

    @cached_property
    def priors(self) -> set[str]:
        """The sha256 of the priors that models were trained on."""
        return {str(about.get("prior_sha256")) for about in self._abouts()}

    def needs_checkpoint(self, folder: Path) -> str:
        """Returns why a checkpoint stays; nothing if it can go."""
        about = _about(folder / _WEIGHTS[_kind(folder)])
        if not about:
            return "its training is not finished; the same command continues it"
        if reason := self._is_used_now(folder):
            return reason
        if "stopped_after_s" in about:
            return "a limit in seconds ended its training; a longer one continues it"
        if self.starts and (folder.name in self.starts or start_digest(str(folder)) in self.starts):
            return "another training starts from it (start_from)"
        return ""

    def needs_folder(self, folder: Path) -> str:
        """Returns why a folder stays whose run was deleted; nothing if it can go."""
        if self.held:
            return "some training, sweep or ablation runs now"
        if reason := self._is_used_now(folder):
            return reason
        if self._has_study(folder.parent):
            return f"a sweep or an ablation of {folder.parent.name} is stored beside it"
        if self._is_in_model(folder):
            return "a stored model was trained on it"
        if naming := next(
            (p for p, text in self.texts.items() if folder not in p.parents and folder.name in text), None
        ):
            return f"{naming.relative_to(self.root)} names it"
        return "a recorded run names it" if folder.name in self.known.named else ""

    def _is_used_now(self, folder: Path) -> str:
        name, digest = folder.parent.name, folder.name.split("-")[1]
        # the locks of cells and sweeps begin with their experiment's name
        if any(lock.startswith((f"{name}-", f"sweep-{name}-")) or f"-{digest}-" in lock for lock in self.held):
            return "a training, sweep or ablation of it runs now"
        newest = max((f.stat().st_mtime for f in folder.rglob("*") if f.is_file()), default=folder.stat().st_mtime)
        return "it was changed lately" if newest > self.newest_s else ""

    def _has_study(self, experiment: Path) -> bool:
        locks = (self.root / ".locks").glob(f"sweep-{experiment.name}-*.lock")
        return any(True for pattern in _STUDIES for _ in experiment.glob(pattern)) or any(True for _ in locks)

    def _is_in_model(self, folder: Path) -> bool:
        if _kind(folder) == "prior":
            return (folder / PRIOR).is_file() and sha256(folder / PRIOR) in self.priors
        own = folder / PREDICTOR
        if _kind(folder) == "model" or not own.is_file():
            return False
        copies = (model / PREDICTOR for model in self.trainings if _kind(model) == "model")
        alike = (f for f in copies if f.is_file() and f.stat().st_size == own.stat().st_size)
        return any(sha256(file) == sha256(own) for file in alike)

    def _abouts(self) -> Iterator[Mapping[str, object]]:
        yield from (_about(file) for name in _WEIGHTS.values() for file in sorted(self.root.glob(f"*/*/{name}")))


def _kind(folder: Path) -> str:
    return folder.name.partition("-")[0]


def _lock_of(root: Path, folder: Path) -> Path:
    return root / ".locks" / f"{folder.name}.lock"


def _about(weights: Path) -> Mapping[str, object]:
    """Returns the record of weights; an empty one if they are missing or broken."""
    with suppress(ConfigError):
        return about_tensors(weights)
    return {}


def _texts(folder: Path) -> Iterator[tuple[Path, str]]:
    for path in sorted(folder.rglob("*")):
        if path.suffix in _TEXTS and path.is_file():
            with suppress(OSError):
                yield path, path.read_text(encoding="utf-8", errors="replace")


def _leftover(path: Path, why: str) -> Leftover:
    files = [path] if path.is_file() else [f for f in path.rglob("*") if f.is_file()]
    return Leftover(path, sum(file.stat().st_size for file in files), why)
