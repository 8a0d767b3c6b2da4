"""Holds one resolved experiment together with all that it needs to run."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

from texprior.addresses import redact
from texprior.config import ALL_SAID, Experiment, Said
from texprior.errors import ConfigError
from texprior.flow.image import CheckedPictures
from texprior.flow.kinds import DATASET
from texprior.plugin import Events
from texprior.plugin.typed_kind import ComponentKind, T
from texprior.registry import Registry
from texprior.runtime.builder import Builder
from texprior.runtime.folds import Fold
from texprior.runtime.progress import Progress, no_progress
from texprior.runtime.run_record import citations_of, component_tags, data_input, flatten_paths, provenance_tags
from texprior.runtime.shared_caches import SharedCaches, Split
from texprior.runtime.split_overlap import find_overlap
from texprior.runtime.team import ALONE, Team, is_launched, join_team
from texprior.store import runs_root
from texprior.track import EVENTS, DataInput, Observer, RunInfo, Tracker
from texprior.track.unsent import FOLDER, Unsent

if TYPE_CHECKING:
    import torch

_JUDGED = ("evaluation", "demo", "cell", "arm", "ablation")
"""The stages whose runs are scored on ``evaluation.split``; the trials of a sweep are scored on val."""


_SPLIT_OF = {"prior": "train"}
"""``data.prior`` is another data set of which the same split is used as of ``data.train``."""


class SessionOptions(TypedDict, total=False):
    """Options for the start of a session; ``Session`` describes them."""

    root: Path
    progress: Progress
    say: Callable[[str], None]
    parent_run: str
    fresh: bool
    caches: SharedCaches
    said: Said
    labels: Mapping[str, str]
    note: str
    fold: Fold | None


class SessionChanges(SessionOptions, total=False):
    """Attributes that a derived session may have differently."""

    experiment: Experiment


@dataclass(frozen=True)
class Session:
    """An experiment, the registry that resolved it, its observers, and the root of its folders."""

    experiment: Experiment
    registry: Registry
    tracker: Tracker = field(default_factory=Tracker)
    root: Path = field(default_factory=runs_root)
    progress: Progress = no_progress
    say: Callable[[str], None] = lambda _message: None
    parent_run: str = ""
    fresh: bool = False
    """Start from zero instead of continuing from checkpoints and finished folders."""
    caches: SharedCaches = field(default_factory=SharedCaches)
    """Caches that the sessions of one process share, such as prepared photographs."""
    said: Said = ALL_SAID
    """Which settings the experiment states itself."""
    team: Team = ALONE
    """The processes that train together; only the first one writes files and reports."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """The user's own tags of every run that this session starts or continues."""
    trains_on: str = "data.train"
    """The setting that names the photographs of this session's trainings, for messages."""
    note: str = ""
    """The user's own text, which the description of each run without a run above it begins with."""
    fold: Fold | None = None
    """The part of the training photographs that this session leaves out; see ``training.cross_fit``."""

    @classmethod
    def start(
        cls, experiment: Experiment, registry: Registry, parallel: bool = False, **how: Unpack[SessionOptions]
    ) -> Session:
        """Starts a session, with the observers that the experiment's ``events`` name.

        ``parallel`` allows several processes that torchrun started to share the work. Without it, raises ConfigError
        if there are several.
        """
        import torch

        if experiment.threads:
            torch.set_num_threads(experiment.threads)
        if is_launched() and not parallel:
            raise ConfigError(
                "torchrun started several processes, but only 'prior', 'adapt' and 'evaluate' can share their work "
                "among them; start this command without torchrun"
            )
        device = cls(experiment, registry).device
        team = join_team(device)
        if team.size > 1:
            from texprior.flow.precision import gains_from_bfloat16, settle_bfloat16

            settle_bfloat16(device, team.from_leader(team.leads and gains_from_bfloat16(device)))
        # Only the leader gets observers, progress and messages: otherwise every run would be recorded several times.
        if not team.leads:
            said = how.get("said", ALL_SAID)
            return cls(experiment, registry, team=team, fresh=bool(how.get("fresh")), said=said)
        how["root"] = how.get("root") or runs_root()
        return cls(experiment, registry, _tracker(experiment, registry, how["root"]), team=team, **how)

    def say_once(self, sentence: str) -> None:
        """Says a sentence that no session with the same caches has said."""
        if sentence not in self.caches.told:
            self.caches.told.add(sentence)
            self.say(sentence)

    @property
    def folder(self) -> Path:
        """The folder of this experiment's priors, predictors and models."""
        return self.root / self.experiment.name

    @property
    def cache_folder(self) -> Path:
        """The folder of caches: TEXPRIOR_CACHE, or ``cache`` next to the training folders."""
        return Path(os.environ.get("TEXPRIOR_CACHE") or self.root / "cache")

    @property
    def builder(self) -> Builder:
        """The builder of the experiment's components."""
        return Builder(self.experiment, self.registry)

    @property
    def device(self) -> torch.device:
        """The experiment's device. Raises ConfigError if it is missing."""
        return self.builder.device

    def with_(self, **changes: Unpack[SessionChanges]) -> Session:
        """Returns a copy of the session with another experiment, parent run or reporter."""
        return replace(self, **changes)

    def build(self, kind: ComponentKind[T], path: str = "", **context: object) -> T:
        """Builds the component at a dotted path of the experiment; see ``Builder.build``.

        By default the path is the kind's name.
        """
        return self.builder.build(kind, path, **context)

    def pictures(self, split: str) -> Split:
        """Returns the data set of a split and its keys.

        Raises ConfigError if the split is not set, is empty, or shares a picture with an earlier one, in the order
        train, prior (which may share with train), val, test. The check of a split runs once for a ``data`` section.
        """
        self._require_said(split)
        here = self._split(split)
        if not here.keys:
            name = getattr(self.experiment.data, split).name
            raise ConfigError(f"{self._setting(split)}: the data set '{name}' has no picture in this split")
        # The check may hash large files, and a sweep asks for the same splits in every trial.
        checked = (split, self.experiment.seed, self.experiment.data.model_dump_json(), self._has_own_stage_one)
        if checked not in self.caches.separate:
            trained = ["train", "prior"] if self._has_own_stage_one else ["train"]
            for earlier in {"val": trained, "test": [*trained, "val"]}.get(split, []):
                self._refuse_overlap(split, here, earlier)
            self.caches.separate.add(checked)
        return self.fold.left_out_of(here) if self.fold and split == "train" else here

    def of_stage_one(self) -> Session:
        """Returns the session whose training photographs are those of Stage I.

        So a prior is the same one whether its photographs are written as ``data.prior`` or as ``data.train``.
        """
        if not self._has_own_stage_one:
            return self
        data = self.experiment.data
        own = data.model_copy(update={"train": data.prior, "prior": None})
        # the defaults of val and test are meant if they are those of Stage II's photographs
        meant = [f"data.{split}" for split in ("val", "test") if getattr(data, split).name == data.train.name]
        changed = self.experiment.model_copy(update={"data": own})
        return replace(self, experiment=changed, said=self.said.with_(meant), trains_on="data.prior")

    def refuse_overlap_with_prior(self) -> None:
        """Raises ConfigError if a split that the experiment states shares a picture with ``data.prior``.

        Trainings call it before they start: a model could be scored on none of these splits.
        """
        for split in ("val", "test") if self._has_own_stage_one else ():
            if f"data.{split}" in self.said:
                try:
                    here = self._split(split)
                    self._split("prior")
                except ConfigError:  # the command that uses the split names what is wrong with it
                    continue
                self._refuse_overlap(split, here, "prior")

    @property
    def _has_own_stage_one(self) -> bool:
        """Whether Stage I is trained here, on photographs of its own."""
        return self.experiment.data.prior is not None and self.experiment.prior is None

    def _setting(self, split: str) -> str:
        return self.trains_on if split == "train" else f"data.{split}"

    def _require_said(self, split: str) -> None:
        """Raises ConfigError if a split is only a default, and the training pictures are of another data set.

        The default pictures would be scored without a word, although they have nothing to do with the user's own.
        """
        data = self.experiment.data
        default, trained = getattr(data, split).name, data.train.name
        if f"data.{split}" not in self.said and default != trained:
            raise ConfigError(
                f"data.{split} is not set, and data.train is '{trained}'; "
                f"set data.{split}, or write 'data.{split}: {default}' if you mean these pictures"
            )

    def _split(self, split: str) -> Split:
        """Returns the built data set of a split with its keys, even if there are none."""
        key = (split, self.experiment.seed, getattr(self.experiment.data, split).model_dump_json())
        if key not in self.caches.splits:
            dataset = CheckedPictures(self.build(DATASET, f"data.{split}"))
            self.caches.splits[key] = Split(dataset, list(dataset.keys(_SPLIT_OF.get(split, split))))
        return self.caches.splits[key]

    def _refuse_overlap(self, split: str, here: Split, earlier: str) -> None:
        """Raises ConfigError if a picture of this split is also in an earlier one, of the same data set or another."""
        data = self.experiment.data
        if getattr(data, split) == getattr(data, earlier):
            there = Split(here.dataset, list(here.dataset.keys(_SPLIT_OF.get(earlier, earlier))))
            # two keys of one source are regions of one large picture, which belong to one split
            same = set(find_overlap(here, there, copies=False))
            shared = sorted(same | (set(here.keys) & set(there.keys)))
        else:
            shared = find_overlap(here, self._split(earlier))
        if shared:
            what = "1 picture" if len(shared) == 1 else f"{len(shared)} pictures"
            raise ConfigError(f"data.{split}: shares {what} with {self._setting(earlier)}, such as {shared[0]}")

    def _data_of(self, stage: str) -> tuple[DataInput, ...]:
        """Returns the pictures that a run of a stage uses: those of training, those of the evaluation, or both."""
        judged: str = self.experiment.evaluation.split if stage in _JUDGED else "val"
        sampled = stage == "evaluation" or (stage in _JUDGED and self.experiment.ablation.model is not None)
        trains, judges = not sampled, stage not in ("prior", "predictor", "adapter")
        # what trains the method whole trains its prior, too
        first = ["prior"] if self._has_own_stage_one and stage in ("demo", "cell", "arm", "ablation", "sweep") else []
        splits = [*first, "train"] * trains + [judged] * judges
        keys = {split: self._split(split).keys for split in splits}
        if self.fold:
            keys["train"] = self.pictures("train").keys
        return tuple(data_input(self.experiment.data, split, keys[split]) for split in splits)

    def run_info(self, id_: str, name: str, stage: str, resume: bool = False, **tags: str) -> RunInfo:
        """Describes a run of this session to the observers.

        The parameters are the resolved experiment. The tags contain the versions of its components.
        """
        data = self.experiment.model_dump(mode="json")
        return RunInfo(
            id=id_,
            experiment=self.experiment.name,
            name=name,
            stage=stage,
            parent=self.parent_run,
            params=flatten_paths(data),
            tags={
                "texprior.stage": stage,
                **provenance_tags(self.experiment),
                **component_tags(self.experiment, self.registry),
                **tags,
                **self.labels,
            },
            resume=resume,
            citations=citations_of(self.experiment, self.registry),
            data=self._data_of(stage),
            labels=self.labels,
            # hundreds of trials or cells would only repeat it
            note="" if self.parent_run else self.note,
        )


def _tracker(experiment: Experiment, registry: Registry, root: Path) -> Tracker:
    """Builds the experiment's observers, by qualified name; a second one of the same name gets a number.

    Raises ConfigError if an option holds a password, because the experiment is stored with every run.
    """
    observers, unsent = dict[str, Observer](), dict[str, Unsent]()
    for ref in experiment.events:
        for name, value in flatten_paths(ref.options).items():
            if isinstance(value, str) and redact(value) != value:
                raise ConfigError(
                    f"events.{ref.name}.{name}: an experiment is stored with every run, so it must hold no password; "
                    "give the address in the environment (for mlflow in MLFLOW_TRACKING_URI, or user and password in "
                    "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD)"
                )
        entry = registry.find("events", ref.name)
        name = entry.qualified if entry.qualified not in observers else f"{entry.qualified} ({len(observers) + 1})"
        observers[name] = registry.build(EVENTS, ref)
        # only a tracker stores runs for later, so only its missed events are worth keeping on disk
        if isinstance(entry.component, Events) and entry.component.tracker:
            component = {entry.qualified: ref.options}
            unsent[name] = Unsent(root / FOLDER, component, registry.files)
    return Tracker(observers, unsent)
