"""Tells every observer what happens in a run. The MLflow tracker is one observer among others.

An observer that raises never stops the work. What a tracker (tag ``tracker``) could not record is kept on disk.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from texprior.track.observer import Observer, RunInfo, Status, pending_of
from texprior.track.unsent import Unsent

if TYPE_CHECKING:
    from torch import Tensor


log = logging.getLogger(__name__)
_REASON_LENGTH = 300


@dataclass
class Tracker:
    """Tells every observer. One that raises is named in the log and left out, and the run goes on.

    A tracker, which has an entry in ``unsent`` under its name, is tried again when the next run starts.
    """

    observers: Mapping[str, Observer] = field(default_factory=dict)
    unsent: Mapping[str, Unsent] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    """Observer -> why it was left out, for the last time."""
    _open: dict[str, RunInfo] = field(default_factory=dict)
    _out: dict[str, set[str]] = field(default_factory=dict)
    """Observer -> the runs that it is told no more of."""

    def tell(self, event: str, *arguments: Any) -> list[Any]:
        """Calls one method of every observer; the results of those that did not raise."""
        results = []
        run_id: str = arguments[0].id if isinstance(arguments[0], RunInfo) else arguments[0]
        for name, observer in self.observers.items():
            if self._is_out(name, run_id):
                if name in self.unsent and event != "where":
                    self.unsent[name].keep(event, *arguments)
                continue
            try:
                results.append(getattr(observer, event)(*arguments))
            except Exception as error:  # an observer never stops the work
                reason = " ".join(str(error).split())[:_REASON_LENGTH]  # a database's would fill pages
                self.broken[name] = f"{type(error).__name__}: {reason}"
                self._out.setdefault(name, set()).add(run_id)
                log.error("events component '%s' failed in %s and is left out from here on: %s", name, event, reason)
                self._keep(name, run_id, event, arguments)
        return results

    def _is_out(self, name: str, run_id: str) -> bool:
        return run_id in self._out.get(name, ()) or (name in self.broken and name not in self.unsent)

    def _keep(self, name: str, run_id: str, event: str, arguments: tuple[Any, ...]) -> None:
        """Keeps what a tracker has not recorded: the run as one to continue, what it held back, and the event."""
        if name not in self.unsent:
            return
        kept, observer = self.unsent[name], self.observers[name]
        run = self._open[run_id]
        try:
            known, held = bool(observer.where(run_id)), pending_of(observer, run_id)
        except Exception:
            known, held = event != "run_started", []
        kept.keep("run_started", replace(run, resume=run.resume or known))
        for images_seen, metrics in held:
            kept.keep("step", run_id, images_seen, metrics)
        if event not in ("run_started", "where") and not (event == "step" and held):
            kept.keep(event, *arguments)

    @contextmanager
    def run(self, info: RunInfo) -> Iterator[Run]:
        """A run around a block of work; its status is what the block's end says."""
        run = Run(self, info)
        self._open[info.id] = info
        self.tell("run_started", info)
        try:
            yield run
        except BaseException as error:
            status: Status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
            run.finish(getattr(error, "run_status", status), note=f"{type(error).__name__}: {error}")
            raise
        else:
            run.finish("finished")
        finally:
            self._ended(info.id)

    def _ended(self, run_id: str) -> None:
        """After the outermost run: what lies on disk instead of in a tracker's store."""
        del self._open[run_id]
        for name, kept in self.unsent.items() if not self._open else ():
            for sentence in kept.sentences():
                log.error("events component '%s' failed (%s): %s", name, self.broken[name], sentence)


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

    def leave(self) -> None:
        """Leaves the run open: a later block, here or in another process, goes on with it and ends it."""
        self.finished = True

    def finish(self, status: Status, note: str = "") -> None:
        if not self.finished:
            self.finished = True
            text = "\n\n".join([*self.notes, *([note] if note else [])])
            self.tracker.tell("run_finished", self.info.id, status, self.summary, text)
