"""track: what happens in a run, told to every observer. The MLflow tracker is one observer among others."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

if TYPE_CHECKING:
    from torch import Tensor

log = logging.getLogger(__name__)
Status = Literal["finished", "failed", "pruned", "interrupted"]


@dataclass(frozen=True)
class RunInfo:
    """A run as it starts. ``id`` is unique in its experiment; ``parent`` is the id of the run above it.

    ``resume`` says that a run of this id may exist already and is to be continued.
    """

    id: str
    experiment: str
    name: str
    stage: str
    parent: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    resume: bool = False


class Observer(Protocol):
    """The contract of an events component. Built as ``Impl(options)``; methods are called in order, from one thread."""

    def run_started(self, run: RunInfo) -> None:
        """A run begins; runs nest."""
        ...

    def step(self, run_id: str, images_seen: int, metrics: Mapping[str, float]) -> None:
        """Values at a point of the run; ``images_seen`` is the horizontal axis."""
        ...

    def image(self, run_id: str, key: str, images_seen: int, image_CHW: Tensor) -> None:
        """A picture, (3, H, W) in [0, 1], under a key, at a point of the run."""
        ...

    def artifact(self, run_id: str, path: Path) -> None:
        """A file or folder to keep with the run."""
        ...

    def run_finished(self, run_id: str, status: Status, summary: Mapping[str, float], note: str) -> None:
        """The run ends: its status, final values, and a text in Markdown (the reason, where it failed)."""
        ...

    def where(self, run_id: str) -> Mapping[str, str]:
        """Where a person finds the run, such as ``tracking_uri``, ``experiment`` and ``run_id``; may be empty."""
        ...


@dataclass
class Tracker:
    """Tells every observer; one that raises is named in the log and asked no more, and the run goes on."""

    observers: Mapping[str, Observer] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)

    def tell(self, event: str, *arguments: Any) -> list[Any]:
        """Calls one method of every observer; the results of those that did not raise."""
        results = []
        for name, observer in self.observers.items():
            if name in self.broken:
                continue
            try:
                results.append(getattr(observer, event)(*arguments))
            except Exception as error:  # an observer never stops the work
                self.broken[name] = f"{type(error).__name__}: {error}"
                log.error("events component '%s' failed in %s and is left out from here on: %s", name, event, error)
        return results

    @contextmanager
    def run(self, info: RunInfo) -> Iterator[Run]:
        """A run around a block of work; its status is what the block's end says."""
        run = Run(self, info)
        self.tell("run_started", info)
        try:
            yield run
        except BaseException as error:
            status: Status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
            run.finish(getattr(error, "run_status", status), note=f"{type(error).__name__}: {error}")
            raise
        run.finish("finished")


@dataclass
class Run:
    """A run in progress: what a pipeline says of it."""

    tracker: Tracker
    info: RunInfo
    finished: bool = False
    summary: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def step(self, images_seen: int, **metrics: float) -> None:
        self.tracker.tell("step", self.info.id, images_seen, metrics)

    def image(self, key: str, image_CHW: Tensor, images_seen: int = 0) -> None:
        self.tracker.tell("image", self.info.id, key, images_seen, image_CHW)

    def artifact(self, path: Path) -> None:
        self.tracker.tell("artifact", self.info.id, path)

    def where(self) -> dict[str, str]:
        """Where the first observer that knows shows this run."""
        known: Sequence[Mapping[str, str]] = self.tracker.tell("where", self.info.id)
        return next((dict(place) for place in known if place), {})

    def finish(self, status: Status, note: str = "") -> None:
        if not self.finished:
            self.finished = True
            text = "\n\n".join([*self.notes, *([note] if note else [])])
            self.tracker.tell("run_finished", self.info.id, status, self.summary, text)
