"""Explains why a training is not one that is stored.

The explanation is what differs from the stored training that is most like it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from texprior.config.combinations import is_open_ended
from texprior.config.schema import Experiment, Training
from texprior.decompositions.strength_search import strength_of
from texprior.errors import ConfigError, TexpriorError
from texprior.models.folders import ADAPTER, CONFIG, PREDICTOR, PRIOR, folder_builder
from texprior.plugin.added import STORED
from texprior.plugin.references import refs_of
from texprior.runtime.identity import foreign_components, foreign_entries, irrelevant_settings, start_digest
from texprior.runtime.run_record import flatten_paths
from texprior.runtime.session import Session
from texprior.store import about_tensors, sha256
from texprior.training.folders import ADAPTER_PARTS, PREDICTOR_PARTS, PRIOR_PARTS, Place

_SHOWN = 3
"""Differences that a sentence lists: more than a few settings say only that it is another experiment."""
_COMPARED = 20
"""Stored trainings that are compared, the latest ones: a sweep leaves hundreds, and reading one takes some 10 ms."""
_TOLD: set[str] = set()
"""Tokens of the unversioned plugins that this process has reported."""


class _Difference(NamedTuple):
    text: str
    is_setting: bool = False


class _Stage(NamedTuple):
    weights: str
    parts: tuple[str, ...]
    """The settings that decide the training, besides its own section of ``training``."""
    section: str

    @property
    def programs(self) -> tuple[str, ...]:
        """Returns the settings whose components' programs decide the training."""
        return (*self.parts, f"training.{self.section}")


_STAGES = {
    "prior": _Stage(PRIOR, (*PRIOR_PARTS, "match_texture_std"), "prior"),
    "predictor": _Stage(PREDICTOR, PREDICTOR_PARTS, "predictor"),
    "model": _Stage(ADAPTER, ADAPTER_PARTS, "adapter"),
}
"""First part of a training's folder's name -> what its training depends on."""
_DATA = ("data.train", "data.patches_per_photograph", "data.augmentations")
"""The settings of the training pictures, which decide every training."""


def report_start(session: Session, stage: str, place: Place) -> None:
    """Reports why a training is new.

    Reports it only if this experiment has a stored training of the stage that differs.
    """
    what = place.folder.name.partition("-")[0]
    _report_unversioned(session, _STAGES[what].programs)
    if session.fresh or not session.team.leads:
        return
    name, found = _closest(session, place, what)
    # the trials of a sweep and the cells of an ablation differ in settings by intention
    intended = session.fold or (session.parent_run and any(difference.is_setting for difference in found))
    if found and not intended:
        session.say(f"{stage}: this training is new; {_sentence(name, found)}")


def explain_difference(session: Session, place: Place, what: str) -> str:
    """Returns how a training differs from the most similar stored one of the same experiment.

    ``what`` is ``prior``, ``predictor`` or ``model``. The text is empty if no other training of this stage is stored.
    """
    name, found = _closest(session, place, what)
    return _sentence(name, found) if found else ""


def program_record(session: Session, parts: tuple[str, ...]) -> dict[str, list[str]]:
    """Returns what the record of weights states about programs.

    It is empty if all components are texprior's own.
    """
    programs = foreign_components(session, parts)
    return {"programs": programs} if programs else {}


def _report_unversioned(session: Session, parts: tuple[str, ...]) -> None:
    for entry in foreign_entries(session, parts):
        if entry.plugin.token and entry.plugin.token not in _TOLD:
            _TOLD.add(entry.plugin.token)
            session.say(
                f"{entry.component.kind} '{entry.qualified}' was made in memory, so its program is unknown: another "
                "process, or this one after another registration, trains again what uses it"
            )


def _sentence(name: str, found: list[_Difference]) -> str:
    more = [f"{len(found) - _SHOWN} more"] if len(found) > _SHOWN else []
    return f"it differs from {name}: {'; '.join([*(d.text for d in found[:_SHOWN]), *more])}"


def _closest(session: Session, place: Place, what: str) -> tuple[str, list[_Difference]]:
    """Returns the name of the stored training with the fewest differences, and these; of equal ones the latest."""
    written: dict[Path, int] = {}
    for weights in session.folder.glob(f"{what}-*/{_STAGES[what].weights}"):
        with suppress(OSError):  # deleted at this moment
            written[weights] = weights.stat().st_mtime_ns
    best: tuple[str, list[_Difference]] = "", []
    for weights in sorted(written, key=lambda path: -written[path])[:_COMPARED]:
        # a folder that cannot be read explains nothing
        with suppress(TexpriorError, OSError, ValueError, KeyError, yaml.YAMLError):
            found = [] if weights.parent == place.folder else _differences(session, place, what, weights)
            if found and (not best[1] or len(found) < len(best[1])):
                best = weights.parent.name, found
    return best


def _differences(session: Session, place: Place, what: str, weights: Path) -> list[_Difference]:
    """Lists what differs from a stored training: settings, programs, the prior and predictor that it uses, pictures."""
    about, stage, same = about_tensors(weights), _STAGES[what], weights.parent.name.split("-")[1] == place.digest
    programs = foreign_components(session, stage.programs)
    found = [
        *_changed_settings(session, _stored_session(session, weights.parent), stage, same),
        *_changed_programs(about.get("programs", []), programs),
        *_changed_start(session, stage, about),
        *(_changed_parents(place, weights.parent, about) if what == "model" else ()),
    ]
    if not found and programs and "programs" not in about:
        return [_Difference("the programs of its plugins, which an earlier version did not record")]
    # the names of the pictures are not stored, but nothing else is left that decides a training
    return found or [_Difference("data: other training pictures")]


def _stored_session(session: Session, folder: Path) -> Session:
    try:
        return session.with_(experiment=folder_builder(folder, session.registry, session.builder).experiment)
    # it may name a component that is not installed any more
    except ConfigError:
        stored = yaml.safe_load((folder / CONFIG).read_text(encoding="utf-8"))
        return session.with_(experiment=Experiment.model_validate(stored, context=dict(STORED)))


def _changed_settings(now: Session, then: Session, stage: _Stage, same: bool) -> Iterator[_Difference]:
    """Yields the settings that differ. If it is the ``same`` training, only its budget can."""
    matched = any(session.experiment.match_texture_std is not None for session in (now, then))
    after, before = (_settings(session, stage, same, matched) for session in (now, then))
    changed = [path for path in dict.fromkeys([*after, *before]) if after.get(path) != before.get(path)]
    # the options of another component are not those of this one, so its name says enough
    names = {path for session in (now, then) for path, _, _ in refs_of(session.experiment)} & {*changed}
    for path in changed:
        if not any(path.startswith(f"{name}.") for name in names):
            said = path.replace("data.train", now.trains_on, 1) if _is_below(path, ["data.train"]) else path
            yield _Difference(f"{said}: {_shown(before, path)} -> {_shown(after, path)}", is_setting=True)


def _settings(session: Session, stage: _Stage, same: bool, matched: bool) -> dict[str, Any]:
    """Returns dotted path -> value of the settings that decide a training; a component's path has its name.

    If the texture is ``matched``, the decomposition's strength is no setting, but is searched for.
    """
    experiment, section = session.experiment, f"training.{stage.section}"
    settings: Training = getattr(experiment.training, stage.section)
    free = irrelevant_settings(settings, is_open_ended(settings, session.registry)) - ({"budget"} if same else set())
    free |= {"start_from"}  # a folder, whose content counts
    wanted, left_out = (*stage.parts, *_DATA, section), [f"{section}.{name}" for name in free]
    ref = experiment.decomposition
    with suppress(ConfigError):  # of a decomposition that is gone no strength is known
        left_out += [f"decomposition.{ref.name}.{strength_of(session.registry, ref)}"] if matched else []
    values = {p: ref.name for p, _, ref in refs_of(experiment)} | flatten_paths(experiment.model_dump(mode="json"))
    return {path: v for path, v in values.items() if _is_below(path, wanted) and not _is_below(path, left_out)}


def _is_below(path: str, above: Iterable[str]) -> bool:
    return any(f"{path}.".startswith(f"{part}.") for part in above)


def _shown(settings: Mapping[str, Any], path: str) -> str:
    value = settings.get(path, "none")
    return value if isinstance(value, str) else json.dumps(value)


def _changed_programs(then: list[str], now: list[str]) -> Iterator[_Difference]:
    """Yields the components whose program changed; one that is used only now, or only then, is a changed setting."""
    before, after = ({name: digest for name, _, digest in (p.rpartition(" ") for p in given)} for given in (then, now))
    for component in sorted(before.keys() & after.keys()):
        if before[component] != after[component]:
            yield _Difference(f"the program of {component} changed")


def _changed_start(session: Session, stage: _Stage, about: Mapping[str, Any]) -> Iterator[_Difference]:
    start = getattr(session.experiment.training, stage.section).start_from
    if about.get("start_from") != (None if start is None else start_digest(start)):
        yield _Difference(f"training.{stage.section}.start_from: other weights", is_setting=True)


def _changed_parents(place: Place, stored: Path, about: Mapping[str, Any]) -> Iterator[_Difference]:
    prior, predictor, _, *folds = place.parents
    if about["prior_sha256"] != prior:
        yield _Difference(f"another prior: sha256 {about['prior_sha256'][:16]}... -> {prior[:16]}...")
    if sha256(stored / PREDICTOR) != predictor:
        yield _Difference("another predictor")
    if (before := list(about.get("folds", []))) != folds:
        counts = "" if len(before) == len(folds) else f": {len(before) or 1} -> {len(folds) or 1}"
        yield _Difference(f"training.folds{counts or ', other predictors'}", is_setting=bool(counts))
