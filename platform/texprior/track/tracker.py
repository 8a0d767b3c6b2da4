"""Reports the events of a run to every observer.

The MLflow tracker is one observer among others. An observer that raises never stops the work. What a tracker (a
record with ``tracker=True``) could not record is stored on disk.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from texprior.addresses import redact
from texprior.errors import error_text
from texprior.track.observer import Observer, RunInfo, Status, pending_of
from texprior.track.unsent import Unsent

if TYPE_CHECKING:
    from torch import Tensor


log = logging.getLogger(__name__)
_REASON_LENGTH = 300
"""Characters of an exception's text in a log line: errors of a database would fill pages."""


@dataclass
class Tracker:
    """Calls every observer, and continues if one raises.

    The log names an observer that raised, and it gets no more events. A tracker has an entry in ``unsent`` under its
    name, and is tried again when the next run starts. Any other observer stays out for good.
    """

    observers: Mapping[str, Observer] = field(default_factory=dict)
    unsent: Mapping[str, Unsent] = field(default_factory=dict)
    broken: dict[str, str] = field(default_factory=dict)
    """Observer -> why it was left out the last time."""
    _open: dict[str, RunInfo] = field(default_factory=dict)
    _out: dict[str, set[str]] = field(default_factory=dict)
    """Observer -> the runs of which it gets no more events."""

    def tell(self, event: str, run: RunInfo | str, *more: object) -> list[Any]:
        """Calls one method of every observer.

        The method's first argument is ``run``, a run at its start or a run's id; ``more`` are the others. Returns the
        results of the observers that did not raise.
        """
        results = []
        run_id = run.id if isinstance(run, RunInfo) else run
        for name, observer in self.observers.items():
            if self._is_out(name, run_id):
                if name in self.unsent and event != "where":
                    self.unsent[name].keep(event, run, *more)
                continue
            # An observer is a plugin and may raise anything. A training of hours must not end for a line in a log.
            try:
                results.append(getattr(observer, event)(run, *more))
            except Exception as error:
                kind, _, said = error_text(error).partition(": ")
                reason = redact(" ".join(said.split()))[:_REASON_LENGTH]
                self.broken[name] = f"{kind}: {reason}"
                self._out.setdefault(name, set()).add(run_id)
                log.error("events component '%s' failed in %s and is left out from here on: %s", name, event, reason)
                self._keep(name, event, run, more)
        return results

    def _is_out(self, name: str, run_id: str) -> bool:
        return run_id in self._out.get(name, ()) or (name in self.broken and name not in self.unsent)

    def _keep(self, name: str, event: str, run: RunInfo | str, more: tuple[object, ...]) -> None:
        """Stores on disk what a tracker has not recorded: the run's start, the values it buffered, and the event."""
        if name not in self.unsent:
            return
        kept, observer = self.unsent[name], self.observers[name]
        run_id = run.id if isinstance(run, RunInfo) else run
        info = self._open[run_id]

        # If the tracker knows the run, resending must continue it. A tracker that just failed may fail here too: then
        # it is likely to know the run, unless the start of the run was what failed.
        try:
            known, held = bool(observer.where(run_id)), pending_of(observer, run_id)
        except Exception:
            known, held = event != "run_started", []

        kept.keep("run_started", replace(info, resume=info.resume or known))
        for images_seen, metrics in held:
            kept.keep("step", run_id, images_seen, metrics)
        # The values of a ``step`` that raised are already among those that the tracker buffered.
        if event not in ("run_started", "where") and not (event == "step" and held):
            kept.keep(event, run, *more)

    @contextmanager
    def run(self, info: RunInfo) -> Iterator[Run]:
        """Starts a run around a block of work and ends it with the block.

        An exception sets its status.
        """
        run = Run(self, info, notes=[info.note] if info.note else [])
        self._open[info.id] = info
        self.tell("run_started", info)
        try:
            yield run
        # An exception may carry its own status, such as ``pruned``, in ``run_status``.
        except BaseException as error:
            status: Status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
            run.finish(getattr(error, "run_status", status), note=error_text(error))
            raise
        else:
            run.finish("finished")
        finally:
            self._ended(info.id)

    def _ended(self, run_id: str) -> None:
        """Closes a run. After the outermost one, logs what is on disk instead of in a tracker's store."""
        del self._open[run_id]
        for name, kept in self.unsent.items() if not self._open else ():
            for sentence in kept.sentences():
                log.error("events component '%s' failed (%s): %s", name, self.broken[name], sentence)


@dataclass
class Run:
    """A run in progress, through which a pipeline reports its values, pictures and files."""

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
        """Returns the place of this run; empty if no observer knows it.

        The place comes from the first observer that knows it.
        """
        known: Sequence[Mapping[str, str]] = self.tracker.tell("where", self.info.id)
        return next((dict(place) for place in known if place), {})

    def leave(self) -> None:
        """Leaves the run open, so that a later block can continue and end it.

        The later block may be here or in another process.
        """
        self.finished = True

    def finish(self, status: Status, note: str = "") -> None:
        if not self.finished:
            self.finished = True
            text = redact("\n\n".join([*self.notes, *([note] if note else [])]))
            self.tracker.tell("run_finished", self.info.id, status, self.summary, text)
