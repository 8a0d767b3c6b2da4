"""A session: one resolved experiment with what it needs to run."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from texprior.config.schema import Experiment
from texprior.errors import ConfigError
from texprior.flow.kinds import DATASET
from texprior.plugin.typed_kind import ComponentKind, T
from texprior.registry import Registry
from texprior.runtime.builder import Builder
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
"""The stages whose runs see the split of the experiment's evaluation; a sweep's are judged on val."""


@dataclass(frozen=True)
class Session:
    """An experiment, the registry that resolved it, its observers, and where its folders go."""

    experiment: Experiment
    registry: Registry
    tracker: Tracker = field(default_factory=Tracker)
    root: Path = field(default_factory=runs_root)
    progress: Progress = no_progress
    say: Callable[[str], None] = lambda _message: None
    parent_run: str = ""
    fresh: bool = False
    """Start over instead of going on from checkpoints and finished folders."""
    caches: SharedCaches = field(default_factory=SharedCaches)
    """What the sessions of one process share, such as prepared photographs."""
    team: Team = ALONE
    """The processes that train together; only the first of them tells anyone anything."""

    @classmethod
    def start(cls, experiment: Experiment, registry: Registry, parallel: bool = False, **how: Any) -> Session:
        """A session whose observers are built from the experiment's ``events``.

        ``parallel`` says that the work may be shared among processes that torchrun started; else ConfigError is raised
        where there are several.
        """
        import torch

        if experiment.threads:
            torch.set_num_threads(experiment.threads)
        if is_launched() and not parallel:
            raise ConfigError("torchrun started several processes, but only 'prior' and 'adapt' share their work")
        team = join_team(cls(experiment, registry).device)
        if not team.leads:
            return cls(experiment, registry, team=team, fresh=bool(how.get("fresh")))
        root = how.pop("root", None) or runs_root()
        return cls(experiment, registry, _tracker(experiment, registry, root), root, team=team, **how)

    @property
    def folder(self) -> Path:
        """Where this experiment's priors, predictors and models lie."""
        return self.root / self.experiment.name

    @property
    def cache_folder(self) -> Path:
        """The folder of caches: TEXPRIOR_CACHE, or ``cache`` next to the training folders."""
        return Path(os.environ.get("TEXPRIOR_CACHE") or self.root / "cache")

    @property
    def builder(self) -> Builder:
        """Builds the experiment's components."""
        return Builder(self.experiment, self.registry)

    @property
    def device(self) -> torch.device:
        """The experiment's device. Raises ConfigError if it is missing."""
        return self.builder.device

    def with_(self, **changes: Any) -> Session:
        """The same session with another experiment, parent run or reporter."""
        return replace(self, **changes)

    def build(self, kind: ComponentKind[T], path: str = "", **context: object) -> T:
        """Builds the component at a path of the experiment, by default its component of the kind; see ``Builder``."""
        return self.builder.build(kind, path, **context)

    def pictures(self, split: str) -> Split:
        """Returns the data set of a split and its keys.

        Raises ConfigError if the split is empty or shares a picture with an earlier one (train, val, test). Both are
        looked at once for a ``data`` section.
        """
        here = self._split(split)
        if not here.keys:
            raise ConfigError(
                f"data.{split}: the data set '{getattr(self.experiment.data, split).name}' is empty there"
            )
        checked = (split, self.experiment.seed, self.experiment.data.model_dump_json())
        if checked not in self.caches.separate:
            for earlier in {"val": ["train"], "test": ["train", "val"]}.get(split, []):
                self._refuse_overlap(split, here, earlier)
            self.caches.separate.add(checked)
        return here

    def _split(self, split: str) -> Split:
        """The built data set of a split with its keys, even if it is empty."""
        key = (split, self.experiment.seed, getattr(self.experiment.data, split).model_dump_json())
        if key not in self.caches.splits:
            dataset = self.build(DATASET, f"data.{split}")
            self.caches.splits[key] = Split(dataset, list(dataset.keys(split)))
        return self.caches.splits[key]

    def _refuse_overlap(self, split: str, here: Split, earlier: str) -> None:
        """Raises ConfigError if a picture of this split is in an earlier one too, in the same data set or another."""
        data = self.experiment.data
        if getattr(data, split) == getattr(data, earlier):
            shared = sorted(set(here.keys) & set(here.dataset.keys(earlier)))
        else:
            shared = find_overlap(here, self._split(earlier))
        if shared:
            what = "1 picture" if len(shared) == 1 else f"{len(shared)} pictures"
            raise ConfigError(f"data.{split}: shares {what} with data.{earlier}, such as {shared[0]}")

    def _data_of(self, stage: str) -> tuple[DataInput, ...]:
        """The pictures that a run of a stage sees: those of training, those of the evaluation, or both."""
        judged: str = self.experiment.evaluation.split if stage in _JUDGED else "val"
        sampled = stage == "evaluation" or (stage in _JUDGED and self.experiment.ablation.model is not None)
        trains, judges = not sampled, stage not in ("prior", "predictor", "adapter")
        splits = ["train"] * trains + [judged] * judges
        return tuple(data_input(self.experiment.data, split, self._split(split).keys) for split in splits)

    def run_info(self, id_: str, name: str, stage: str, resume: bool = False, **tags: str) -> RunInfo:
        """A run of this session: the resolved experiment as parameters, the components' versions as tags."""
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
            },
            resume=resume,
            citations=citations_of(self.experiment, self.registry),
            data=self._data_of(stage),
        )


def _tracker(experiment: Experiment, registry: Registry, root: Path) -> Tracker:
    """The experiment's observers by qualified name, numbered where one is there twice."""
    observers, unsent = dict[str, Observer](), dict[str, Unsent]()
    for ref in experiment.events:
        entry = registry.find("events", ref.name)
        name = entry.qualified if entry.qualified not in observers else f"{entry.qualified} ({len(observers) + 1})"
        observers[name] = registry.build(EVENTS, ref)
        if "tracker" in entry.component.tags:
            component = {entry.qualified: ref.options}
            unsent[name] = Unsent(root / FOLDER, component, registry.files)
    return Tracker(observers, unsent)
